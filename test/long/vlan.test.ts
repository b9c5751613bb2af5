import { execFile } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { made } from '../vm/harness/disks.ts';
import { diskless, holder, staticAddress } from '../vm/harness/field-machines.ts';
import { builtImage, smallImage } from '../vm/harness/images.ts';
import { POWER_OFF } from '../vm/harness/login.ts';
import type { Machine } from '../vm/harness/machine.ts';
import { pxe, SERVES, server, servingImage } from '../vm/harness/pxe-machines.ts';
import { performAll } from '../vm/harness/run-scenario.ts';
import type { DirectKernel, Scenario } from '../vm/harness/scenario.ts';
import { mmdebstrap } from '../vm/harness/variant-image.ts';

const run = promisify(execFile);

const VLAN = 7;
const ON_VLAN = `viver.vlan=${VLAN}`;
const WAITS = 'viver.wait=900';

async function start(field: Cluster, scenario: Scenario): Promise<Machine> {
  const machine = await field.powerOn(scenario);
  await performAll(machine);
  return machine;
}

test('who is told a VLAN has its image from there, though another is offered on the wire itself', async () => {
  await using field = await Cluster.open();
  const untagged = await smallImage('one');
  const tagged = await smallImage('two');
  await Promise.all([
    start(field, await holder({ name: 'vlan-untagged', number: 1, image: untagged, steps: [] })),
    start(
      field,
      await holder({
        name: 'vlan-holder',
        number: 2,
        image: tagged,
        words: [ON_VLAN],
        steps: [{ run: 'cat /proc/net/vlan/config', output: new RegExp(`\\| ${VLAN} +\\|`) }],
      }),
    ),
  ]);
  await start(
    field,
    diskless({
      name: 'vlan-diskless',
      number: 3,
      image: tagged,
      words: [staticAddress(3), ON_VLAN, WAITS],
      steps: [
        { run: 'cat /etc/variant', output: /^two$/ },
        { run: 'ip -4 addr', output: /10\.77\.0\.3.*\.7$/m },
        ...POWER_OFF,
      ],
    }),
  );
});

test('a systemd image runs from a VLAN: nothing takes its card down, at the boot or at the end', async () => {
  const image = await builtImage('debian');
  await using field = await Cluster.open();
  await start(field, await holder({ name: 'vlan-debian-holder', number: 1, image, words: [ON_VLAN], steps: [] }));
  await start(
    field,
    diskless({
      name: 'vlan-debian',
      number: 2,
      image,
      words: [staticAddress(2), ON_VLAN, WAITS],
      steps: [
        { run: 'systemctl is-system-running --wait', output: /^running$/, within: 120 },
        { run: 'ip -br -4 addr', output: /\.7@\S+ +UP +10\.77\.0\.2\// },
        { run: 'echo 3 > /proc/sys/vm/drop_caches; sha256sum /usr/bin/* > /dev/null' },
        { run: '! dmesg | grep -iE "I/O error|squashfs error|unable to read"' },
        ...POWER_OFF,
      ],
    }),
  );
});

/** iPXE of Debian 13, as Debian 12's knows no VLANs; it makes one of its card and boots by that. */
async function tagging(): Promise<DirectKernel> {
  const directory = await made(
    'ipxe-tagging',
    { description: `trixie, tag ${VLAN}`, files: [] },
    async (target, work) => {
      const tar = join(work, 'ipxe.tar');
      await mmdebstrap('trixie', ['--variant=extract', '--include=ipxe'], tar, work);
      const out = join(work, 'out');
      await run('sh', ['-euc', `mkdir ${out}; tar -xOf ${tar} ./usr/lib/ipxe/ipxe.lkrn > ${out}/ipxe.lkrn`]);
      await writeFile(join(out, 'script'), `#!ipxe\nvcreate --tag ${VLAN} net0\nautoboot net0-${VLAN}\n`);
      await rename(out, target);
    },
  );
  return { kernel: join(directory, 'ipxe.lkrn'), initrd: join(directory, 'script'), commandLine: '' };
}

test('a machine whose iPXE boots by a VLAN has its image from there, without being told the VLAN', {
  timeout: 1_500_000,
}, async () => {
  const image = await servingImage(await smallImage('two'), 'serving-two');
  await using field = await Cluster.open();
  const untagged = await smallImage('one');
  const [, one] = await Promise.all([
    start(field, await holder({ name: 'vlan-pxe-untagged', number: 1, image: untagged, steps: [] })),
    start(field, await server({ name: 'vlan-pxe-server', number: 2, image, words: [ON_VLAN] })),
  ]);
  await field.run(one, SERVES, 120);
  const { nics, ...diskless } = pxe({ name: 'vlan-pxe', number: 3, image });
  const kernel = await tagging();
  const machine = await start(field, {
    ...diskless,
    kernel,
    nics:
      nics?.map(({ name, model, mac, wire }) => ({ name, model, ...(mac && { mac }), ...(wire && { wire }) })) ?? [],
  });
  await field.perform(machine, [
    { run: 'cat /etc/variant', output: /^two$/ },
    { run: 'cat /proc/cmdline', output: new RegExp(` viver\\.vlan=${VLAN} `) },
    { run: 'cat /proc/net/vlan/config', output: new RegExp(`\\| ${VLAN} +\\|`) },
  ]);
});
