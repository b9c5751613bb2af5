/** What one machine's boot read, told to the next ones: by processes, as machines run them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { askProfile, askStrip } from '../../src/field/control.ts';
import { parseProfile } from '../../src/image/profile/profile.ts';
import { type Daemon, FieldTest, until } from './field-harness.ts';

/** A boot is over when nothing new was read for 20 s; the daemon looks every 5 s. */
const BOOT_SECONDS = 40;
const MB = 1 << 20;
const BOOT = [9, 2, 5, 3];

/** Reads 200 KB from each of these places, in this order. */
async function boot(daemon: Daemon, megabytes: readonly number[]): Promise<void> {
  await daemon.ready();
  const reads = megabytes.flatMap((at) => ['-c', `read ${at * MB} 200k`]);
  await promisify(execFile)('qemu-io', ['-r', '-f', 'raw', ...reads, `nbd+unix:///?socket=${daemon.nbd}`]);
}

const readOf = async (daemon: Daemon) => (await askStrip(daemon.control)).read;

test('the third machine is told what the boot of the second read, and tells the fourth of both', async () => {
  await using field = new FieldTest(12);
  const holder = field.holder();
  await holder.ready();
  const second = field.joiner([holder]);
  await boot(second, BOOT);
  expect(await readOf(second)).toBeUndefined();
  await until('the boot of the second is over', async () => (await readOf(second)) !== undefined, BOOT_SECONDS);
  const own = await readOf(second);
  expect(own?.boots).toBe(1);
  const recorded = parseProfile((await askProfile(second.control)) ?? '');
  expect(recorded.ranges[0]?.start).toBe(9 * MB);

  const third = field.joiner([second]);
  await third.ready();
  await until('the third has been told', async () => (await readOf(third)) !== undefined);
  expect(await readOf(third)).toEqual(own);
  await boot(third, BOOT.slice(1));
  await until('what it was told is here', async () => /profile: what it names is all here/.test(third.log()));
  await until('the boot of the third is over', async () => (await readOf(third))?.boots === 2, BOOT_SECONDS);
  const both = await readOf(third);
  expect(both?.chunks).toBe(own?.chunks);

  // Else it might be asked first.
  await second.stop();
  const fourth = field.joiner([third]);
  await fourth.ready();
  await until('the fourth has been told', async () => (await readOf(fourth)) !== undefined);
  expect(await readOf(fourth)).toEqual(both);
}, 150_000);

test('who has read all of the image has not booted, and says so', async () => {
  await using field = new FieldTest(4);
  const holder = field.holder();
  await holder.ready();
  const second = field.joiner([holder]);
  await second.ready();
  await promisify(execFile)('nbdcopy', [`nbd+unix:///?socket=${second.nbd}`, 'null:']);
  const isSaid = async () => /no boot profile for others: nearly all of the image was read/.test(second.log());
  await until('the line', isSaid, BOOT_SECONDS);
  expect(await readOf(second)).toBeUndefined();
}, 90_000);
