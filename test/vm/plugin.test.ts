import { expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { smallImage } from './harness/images.ts';
import { addressOf, darkCard, mac, SERVES, server, servingImage, statusOf } from './harness/pxe-machines.ts';

/** As docs/runes.md shows one: types in it, other files of the image beside it, interfaces asked. */
const HELLO = `
interface Told { readonly mode: string }
export default definePlugin({
  name: 'hello',
  summary: 'says who gives the addresses',
  requires: ['address', 'dhcp'],
  async start(context) {
    const { address, interfaceName, mac } = await context.ask('address').network();
    const { mode }: Told = { mode: await context.ask('dhcp').mode().then((told) => told.mode) };
    context.log(\`hello from \${address} on \${interfaceName} (\${mac}): \${mode}\`);
    return {};
  },
  prepare(root) {
    root.write('/etc/motd', \`made by a plugin on \${root.machine.macs.length} cards\\n\`);
  },
});
`;
const ROLES = `
role boot-server
  plugins basic hello
  machines booted:medium
role node
  plugins basic
  machines any
`;

test("a plugin of the image's own, a .ts file, runs; a machine with two cards serves on the one that has a cable", {
  timeout: 600_000,
}, async () => {
  const base = await smallImage('plugin', { '/etc/RUNES/runes/hello.ts': HELLO, '/etc/RUNES/roles': ROLES });
  const image = await servingImage(base, 'plugin');
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await cluster.powerOn(await server({ name: 'plugin', number: 1, image, others: [darkCard(99)] }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 120);
  const address = await addressOf(cluster, one);
  const said = await cluster.run(one, 'until dmesg | grep "hello: hello from"; do sleep 1; done');
  expect(said).toMatch(
    new RegExp(`hello from ${address.replaceAll('.', '\\.')} on eth\\d \\(${mac(1)}\\): (full|standby)`),
  );
  expect(await cluster.run(one, 'cat /etc/motd')).toContain('made by a plugin on 2 cards');
  const told = async () => {
    const { plugins, dhcp } = await statusOf(cluster, one);
    return { hello: plugins.find(({ name }) => name === 'hello')?.state, mode: dhcp?.mode };
  };
  await expect.poll(told, { timeout: 120_000, interval: 1000 }).toEqual({ hello: 'running', mode: 'full' });
});
