import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const ADOPT = join(import.meta.dirname, 'child/adopt-address.ts');

/** Two machines on a wire, 10.5.0.1 and, where `$peer` is, 10.5.0.2; `$node` runs what adopts. */
const WIRE = `
set -eu
node=$1 adopt=$2
ip link set lo up
ip link add va type veth peer name vb
unshare --net sleep 60 & peer=$!
trap 'kill $peer' EXIT
until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.1; done
ip link set vb netns $peer
there() { nsenter -t $peer -n "$@"; }
ip addr add 10.5.0.1/24 dev va; ip link set va up
there ip addr add 10.5.0.2/24 dev vb; there ip link set vb up
`;

async function onWire(script: string): Promise<string> {
  const words = ['--net', 'sh', '-c', WIRE + script, 'sh', process.execPath, ADOPT];
  const { stdout } = await run('unshare', words, { timeout: 60_000 });
  return stdout;
}

test('who speaks to a machine that is gone is refused at once, until the address is given back', async () => {
  const output = await onWire(`
(sleep 15 | "$node" "$adopt" va 10.5.0.9) &
until ip -4 -o addr show va | grep -q 10.5.0.9; do sleep 0.2; done
until there busybox nc -w 5 10.5.0.9 20080 < /dev/null 2>&1 | grep refused; do sleep 0.2; done
`);
  expect(output).toContain('10.5.0.9 went without a word');
  expect(output).toContain('Connection refused');
});

test('an address that is about to be given to somebody is free again before', async () => {
  const output = await onWire(`
(until ip -4 -o addr show va | grep -q 10.5.0.9; do sleep 0.2; done) | "$node" "$adopt" va 10.5.0.9
ip -4 -o addr show va
`);
  expect(output).toContain('given back');
  expect(output.split('given back')[1]).not.toContain('10.5.0.9');
});

test('an address that somebody has is left alone', async () => {
  const output = await onWire(`
there ip addr add 10.5.0.9/24 dev vb
"$node" "$adopt" va 10.5.0.9 < /dev/null
`);
  expect(output).not.toContain('went without a word');
});
