import { expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { DhcpServer } from './harness/dhcp-server.ts';
import { viverKernel } from './harness/direct.ts';
import { diskless, holder, pinned, readAnew, staticAddress } from './harness/field-machines.ts';
import { builtImage, type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import type { Machine } from './harness/machine.ts';
import { performAll } from './harness/run-scenario.ts';
import type { Scenario, Step } from './harness/scenario.ts';
import { perform } from './harness/steps.ts';

/** Switches a machine on and performs its steps; it may then still run. */
async function start(field: Cluster, scenario: Scenario): Promise<Machine> {
  const machine = await field.powerOn(scenario);
  await performAll(machine);
  return machine;
}

/** Switched on together: who has no disk waits until somebody has the image. */
const WAITS = 'viver.wait=900';
const startTogether = (field: Cluster, ...scenarios: readonly Scenario[]): Promise<readonly Machine[]> =>
  Promise.all(scenarios.map((scenario) => start(field, scenario)));

const run = (machine: Machine, command: string, within = 120): Promise<string> =>
  perform(machine, { run: command, within });

/** Other programs write to the console too: what is looked for is picked out of their lines. */
const sumsIn = (text: string): readonly string[] => text.match(/\b[0-9a-f]{64}\b/g) ?? [];

const sumOf = async (machine: Machine, file: string): Promise<string> =>
  sumsIn(await run(machine, readAnew(file)))[0] ?? 'no sum';

/** The kernel says so when a read has failed. */
const NO_IO_ERROR = { run: '! dmesg | grep -iE "I/O error|squashfs error|unable to read"' } as const;

/** The daemon's process id, which its supervisor notes. */
const DAEMON = '$(cat /run/sendsigs.omit.d/viver-field)';

const HOLDS_ALL = { run: 'until dmesg | grep -q "holds the whole image"; do sleep 1; done', within: 120 } as const;

test('a machine without a disk finds an image by itself: an address by DHCP, the field by multicast', async () => {
  const image = await smallImage();
  await using field = await Cluster.open({ slots: 'one' });
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(field.wire);
  await start(field, await holder({ name: 'net-holder', number: 1, image, steps: [] }));
  await start(
    field,
    diskless({
      name: 'net-diskless',
      number: 2,
      image,
      steps: [
        { run: 'cat /etc/variant', output: /^one$/ },
        { run: 'ps | grep "[@]viver-field field up"' },
        { run: 'ps | grep "[@]/udhcpc"' },
        ...POWER_OFF,
      ],
    }),
  );
});

test('a pinned image is taken from the peer that is named, with an address of its own', async () => {
  const image = await builtImage('debian');
  await using field = await Cluster.open({ slots: 'one' });
  const [one] = await startTogether(
    field,
    await holder({ name: 'net-debian-holder', number: 1, image, steps: [] }),
    diskless({
      name: 'net-debian',
      number: 2,
      image,
      words: [staticAddress(2), 'viver.peer=10.77.0.1', pinned(image), WAITS],
      steps: [
        { run: '[ "$(cat /proc/1/comm)" = systemd ]' },
        { run: 'findmnt -n -o SOURCE /run/viver/lower', output: '/dev/nbd0' },
        NO_IO_ERROR,
        // who ends the machine stops all processes and reads what is not in memory any more
        { run: 'echo 3 > /proc/sys/vm/drop_caches' },
        ...POWER_OFF,
      ],
    }),
  );
  await perform(one as Machine, { run: 'until dmesg | grep "viver field: .* left"; do sleep 1; done', within: 60 });
});

test('three machines read on when the one that brought the image is switched off', async () => {
  const image = await smallImage();
  await using field = await Cluster.open();
  const [first, ...others] = await startTogether(
    field,
    await holder({ name: 'net-first', number: 1, image, steps: [] }),
    ...[2, 3, 4].map((number) => {
      const words = [staticAddress(number), pinned(image), WAITS];
      return diskless({ name: `net-other-${number}`, number, image, words, steps: [HOLDS_ALL] });
    }),
  );
  if (first === undefined) throw new Error('no machine');
  const sum = await sumOf(first, '/data');
  await field.powerOff(first);
  for (const machine of others) {
    expect(await sumOf(machine, '/data')).toBe(sum);
    await perform(machine, NO_IO_ERROR);
  }
  // One loses all it has: what it reads then can only come from the other two.
  const [one, ...rest] = others;
  if (one === undefined) throw new Error('no machine');
  await run(one, `kill -9 ${DAEMON}`);
  expect(await sumOf(one, '/data')).toBe(sum);
  for (const machine of [one, ...rest]) await perform(machine, NO_IO_ERROR);
});

test('kill -9 of the daemon under load costs a pause and no I/O error', async () => {
  const image = await smallImage();
  await using field = await Cluster.open({ slots: 'one' });
  const words = [staticAddress(2), pinned(image), WAITS];
  const [, two] = await startTogether(
    field,
    await holder({ name: 'net-kill-holder', number: 1, image, steps: [] }),
    diskless({ name: 'net-kill', number: 2, image, words, steps: [] }),
  );
  if (two === undefined) throw new Error('no machine');
  const sum = await sumOf(two, '/data');
  const load = `for i in 1 2 3 4 5 6; do ${readAnew('/data')} || echo failed; done > /tmp/sums 2>&1; touch /tmp/done`;
  await run(two, `{ (${load}) & }`);
  for (const _ of [1, 2]) await run(two, `p=${DAEMON}; kill -9 $p; until [ ${DAEMON} != $p ]; do sleep 1; done`);
  await run(two, 'until [ -e /tmp/done ]; do sleep 1; done', 240);
  expect(sumsIn(await run(two, 'cat /tmp/sums'))).toEqual(new Array(6).fill(sum));
  await perform(two, NO_IO_ERROR);
  await run(two, '[ $(dmesg | grep -c "@viver-field ended with status 137") = 2 ]');
});

test('a machine whose cable is pulled waits with what it has not got, and goes on when it is put back', async () => {
  const image: Image = await smallImage();
  await using field = await Cluster.open({ slots: 'one' });
  const words = [staticAddress(2), pinned(image), WAITS];
  const [, two] = await startTogether(
    field,
    await holder({ name: 'net-cable-holder', number: 1, image, steps: [] }),
    diskless({ name: 'net-cable', number: 2, image, words, steps: [] }),
  );
  if (two === undefined) throw new Error('no machine');
  const sum = await sumOf(two, '/data');
  await perform(two, { link: 'net', up: false });
  // Now it holds nothing, and nobody is there to give it anything. Its shell too has to wait for what it runs.
  two.type(`kill -9 ${DAEMON}; ${readAnew('/data')}; echo "read-""over"\n`);
  await perform(two, { pauseSeconds: 15, because: 'the reads shall have had their time to fail' });
  expect(two.console.pending().filter((line) => line.includes('read-over'))).toEqual([]);
  const { bytes } = field.wire;
  await perform(two, { link: 'net', up: true });
  await perform(two, { wait: sum, within: 180 });
  await perform(two, { wait: 'read-over', within: 60 });
  await perform(two, NO_IO_ERROR);
  expect(field.wire.bytes - bytes).toBeGreaterThan(20e6);
});

test('viver.verify=lazy: the medium is taken out once the field holds all, and reads go on', async () => {
  const image = await smallImage();
  const words = ['viver.verify=lazy', pinned(image)];
  await using field = await Cluster.open({ slots: 'one' });
  const one = await start(field, await holder({ name: 'net-lazy', number: 1, image, words, bus: 'usb', steps: [] }));
  await run(one, 'grep -q nbd0 /proc/mounts');
  const two = await start(
    field,
    diskless({
      name: 'net-lazy-peer',
      number: 2,
      image,
      words: [staticAddress(2), pinned(image), 'viver.toram'],
      steps: [{ run: 'ls /run/viver/image/small.sqfs' }, HOLDS_ALL],
    }),
  );
  const sum = await sumOf(two, '/data');
  await perform(one, { detach: 'image', within: 60 });
  await run(one, 'until [ ! -e /sys/block/sda ]; do sleep 1; done');
  expect(await sumOf(one, '/data')).toBe(sum);
  await perform(one, NO_IO_ERROR);
});

test('nobody has the image: it is said who was asked; when somebody has, exit at the rescue prompt boots it', async () => {
  const image = await smallImage();
  const words = ['viver.wait=5', pinned(image)];
  const alone = diskless({ name: 'net-alone', number: 2, image, words, steps: [] });
  const [ready, ...login] = alone.steps;
  if (ready === undefined) throw new Error('no steps');
  await using field = await Cluster.open({ slots: 'one' });
  const two = await start(field, {
    ...alone,
    steps: [
      { wait: /viver: boot failed: no network: eth0: no DHCP server answered/, within: 120 },
      { prompt: /rescue# $/, within: 60 },
      { type: 'exit\n' },
    ],
  });
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(field.wire);
  await perform(two, {
    wait: `viver: boot failed: no machine on the network offers ${image.name}@`,
    within: 120,
  });
  await perform(two, { wait: /saw eth0 with 10\.77\.0\.1\d\d\/24/, within: 10 });
  await perform(two, { prompt: /rescue# $/, within: 60 });
  await start(field, await holder({ name: 'net-alone-holder', number: 1, image, steps: [] }));
  two.type('exit\n');
  for (const step of [ready, ...login, NO_IO_ERROR, ...POWER_OFF]) await perform(two, step);
});

test('a slow medium is passed over for the network, and taken when that gives nothing after all', async () => {
  const image = await smallImage();
  await using field = await Cluster.open({ slots: 'one' });
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(field.wire);
  const one = await start(field, await holder({ name: 'net-faster', number: 1, image, steps: [] }));
  const { disks: _, ...machine } = diskless({ name: 'net-slow-stick', number: 2, image, steps: [] });
  const two = await start(field, {
    ...machine,
    kernel: viverKernel('viver.break=image'),
    disks: [{ name: 'stick', bus: 'usb', file: await imageDisk(image), bytesPerSecond: 0.15e6 }],
    steps: [
      { wait: /\[3\/6\] media .*\(net: eth0 .* offered by 10\.77\.0\.1:.* MB\/s; \/dev\/sda1 gives/, within: 120 },
      { prompt: /rescue# $/, within: 60 },
    ],
  });
  await field.powerOff(one);
  two.type('exit\n');
  const steps: readonly Step[] = [
    { wait: /cannot be had from its field: .*: back to \/dev\/sda1/, within: 120 },
    { prompt: /rescue# $/, within: 120 },
    { type: 'exit\n' },
    { wait: rootReady({ image: image.name, medium: 'usb' }), within: 120 },
    ...LOGIN,
    NO_IO_ERROR,
    ...POWER_OFF,
  ];
  for (const step of steps) await perform(two, step);
});
