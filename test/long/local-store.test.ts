/** `viver.store=`: chunks kept on a disk over reboots, over a power cut, and without the network. See docs/distance.md. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { until } from '../field/field-harness.ts';
import { Cluster } from '../vm/harness/cluster.ts';
import { madeDisk } from '../vm/harness/disks.ts';
import { diskless, pinned, readAnew, staticAddress } from '../vm/harness/field-machines.ts';
import { smallImage } from '../vm/harness/images.ts';
import { POWER_OFF } from '../vm/harness/login.ts';
import { storeOf, WebServer } from '../vm/harness/origins.ts';
import { vmDirectory } from '../vm/harness/products.ts';
import type { Scenario, Step } from '../vm/harness/scenario.ts';
import { WireHost } from '../vm/harness/wire-host.ts';

const run = promisify(execFile);
const LONG_MS = 1_800_000;
const PATIENCE = 240;

const NO_IO_ERROR: Step = { run: '! dmesg | grep -iE "I/O error|squashfs error|unable to read"' };
/** Has all of the image fetched: else what nobody reads is not asked for. */
const PREHEAT = '/usr/local/bin/viver field preheat --control /run/viver/field.sock > /dev/null';
const HOLDS_ALL: Step = { run: 'until dmesg | grep "holds the whole image"; do sleep 1; done', within: PATIENCE };

test(
  'the power goes while the store is filled: the next boot is right and fills it; then one without a network',
  async () => {
    const image = await smallImage();
    const { stdout } = await run('unsquashfs', ['-cat', image.sqfs, 'data'], {
      encoding: 'buffer',
      maxBuffer: 64 << 20,
    });
    const sum = createHash('sha256').update(stdout).digest('hex');
    const isRight: Step = { run: readAnew('/data'), output: sum, within: PATIENCE };
    const empty = await madeDisk('store', {
      table: 'gpt',
      partitions: [{ fileSystem: 'ext4', label: 'chunks', sizeMiB: 96 }],
    });
    const file = join(vmDirectory('disks'), 'local-store.img');
    await rm(file, { force: true });
    await copyFile(empty, file);

    await using cluster = await Cluster.open({ slots: 'one' });
    await using host = await WireHost.plugInto(cluster.wire, 'web', '10.77.0.254/24');
    const nginx = await WebServer.start(host, { store: await storeOf(image), address: '10.77.0.254' });
    const machine = (name: string, number: number, words: readonly string[], steps: readonly Step[]): Scenario => ({
      ...diskless({
        name,
        number,
        image,
        words: [staticAddress(number), 'viver.store=LABEL=chunks', 'viver.origin=http://10.77.0.254/', ...words],
        steps,
      }),
      disks: [{ name: 'store', bus: 'virtio', file, keepWrites: true }],
    });

    host.limit(8);
    const cut = await cluster.powerOn(machine('local-store-cut', 2, [pinned(image)], [{ run: `{ (${PREHEAT}) & }` }]));
    await cluster.performAll(cut);
    await until('the store is half full', async () => nginx.sentBytes > 12e6, PATIENCE);
    await cluster.powerOff(cut);
    const sentBefore = nginx.sentBytes;
    expect(sentBefore).toBeLessThan(24e6);
    host.limit(undefined);

    const steps = [isRight, { run: PREHEAT, within: PATIENCE }, HOLDS_ALL, NO_IO_ERROR, { run: 'sync' }, ...POWER_OFF];
    const filling = await cluster.powerOn(machine('local-store-fills', 3, [pinned(image)], steps));
    await cluster.performAll(filling);
    const sent = nginx.sentBytes - sentBefore;
    process.stderr.write(
      `${(sentBefore / 1e6).toFixed(1)} MB before the power cut, ${(sent / 1e6).toFixed(1)} after\n`,
    );
    // Something of what had come was on the disk.
    expect(sent).toBeLessThan(24e6);

    // No image is named: the one that ran last is.
    const scenario = machine('local-store-alone', 4, [], [isRight, NO_IO_ERROR]);
    const [ready, ...rest] = scenario.steps;
    if (ready === undefined) throw new Error('no steps');
    const unplug: readonly Step[] = [
      { wait: /Run \/init as init process/, within: 120 },
      { link: 'net', up: false },
    ];
    const asked = nginx.chunks;
    const alone = await cluster.powerOn({ ...scenario, steps: [...unplug, ready, ...rest] });
    await cluster.performAll(alone);
    expect(nginx.chunks).toBe(asked);
    const reason = { run: 'grep -o "it lies in the store" /run/viver/boot.json' };
    await cluster.perform(alone, [reason, ...POWER_OFF]);
  },
  LONG_MS,
);
