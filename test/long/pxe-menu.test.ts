import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { made, madeDisk } from '../vm/harness/disks.ts';
import { type Image, smallImage } from '../vm/harness/images.ts';
import { LOGIN, rootReady } from '../vm/harness/login.ts';
import type { Machine } from '../vm/harness/machine.ts';
import { BOOT_SECONDS, type PxeMachine, pxe, SERVES, server, servingImage } from '../vm/harness/pxe-machines.ts';
import type { Step } from '../vm/harness/scenario.ts';

const run = promisify(execFile);
const GREETING = 'the disk of this machine starts';

/** Sector 0 of a disk: says GREETING on the first serial port, byte by byte, and halts. */
function bootSector(): Buffer {
  const code = Buffer.from([
    ...[0xbe, 0x12, 0x7c], // mov si, text (the code is loaded at 0x7c00)
    ...[0xba, 0xf8, 0x03], // mov dx, 0x3f8
    ...[0x2e, 0xac], //       next: lodsb from cs
    ...[0x84, 0xc0], //       test al, al
    ...[0x74, 0x03], //       jz end
    ...[0xee], //             out dx, al
    ...[0xeb, 0xf7], //       jmp next
    ...[0xf4], //             end: hlt
    ...[0xeb, 0xfd], //       jmp end
  ]);
  const sector = Buffer.alloc(512);
  code.copy(sector);
  sector.write(`${GREETING}\r\n`, code.length, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

const biosDisk = () =>
  made('bios-disk', { description: bootSector().toString('hex'), files: [] }, (target) =>
    writeFile(target, Buffer.concat([bootSector(), Buffer.alloc(1 << 20)])),
  );

/** GRUB alone on an EFI system partition, at the path every firmware looks for. */
async function uefiDisk(): Promise<string> {
  const text = `echo "${GREETING}"\nsleep 600\n`;
  const grub = await made('grub.efi', { description: text, files: [] }, async (target, work) => {
    await writeFile(join(work, 'grub.cfg'), text);
    const words = ['-O', 'x86_64-efi', '-o', target, '--modules=echo sleep', '--locales=', '--fonts=', '--themes='];
    await run('grub-mkstandalone', [...words, `boot/grub/grub.cfg=${join(work, 'grub.cfg')}`]);
  });
  const partition = { fileSystem: 'vfat', files: { '/EFI/BOOT/BOOTX64.EFI': grub } } as const;
  return madeDisk('uefi-disk', { table: 'gpt', partitions: [partition] });
}

/** Comes to the menu and presses a line's key there. */
const choose = (key: string): readonly Step[] => [
  { prompt: /press any key for the menu/, within: BOOT_SECONDS },
  { type: ' ' },
  { prompt: /\(s\) iPXE shell/, within: 30 },
  { type: key },
];

/** A boot server with a second image, and machines at whose menu somebody presses a key. */
class Menu implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly image: Image;
  #number = 10;

  constructor(cluster: Cluster, image: Image) {
    this.cluster = cluster;
    this.image = image;
  }

  static async open(others: readonly Image[] = []): Promise<Menu> {
    const image = await servingImage();
    const scenario = await server({ name: 'menu-server', number: 1, image, otherImages: others });
    await using undo = new AsyncDisposableStack();
    const cluster = undo.use(await Cluster.open());
    const one = await cluster.powerOn(scenario);
    await cluster.performAll(one);
    await cluster.run(one, SERVES, 120);
    undo.move();
    return new Menu(cluster, image);
  }

  async choose(name: string, key: string, steps: readonly Step[], of: Partial<PxeMachine> = {}): Promise<Machine> {
    const machine = pxe({ name: `menu-${name}`, number: this.#number++, image: this.image, ...of });
    const on = await this.cluster.powerOn({ ...machine, steps: [...choose(key), ...steps] });
    await this.cluster.performAll(on);
    return on;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }
}

const disk = { name: 'own', bus: 'sata', bootIndex: 2 } as const;

test('the lines of the boot menu do what they say, on a serial console', { timeout: 1_500_000 }, async () => {
  const other = await servingImage(await smallImage('two'), 'other');
  const disks = [{ ...disk, file: await biosDisk() }];
  await using menu = await Menu.open([other]);
  const tests: readonly Step[] = [{ prompt: /Memtest86\+ .*6\./, within: 60 }];
  const quick = await Promise.all([
    menu.choose('local-bios', 'l', [{ prompt: GREETING, within: 60 }], { disks }),
    menu.choose('memtest-bios', 'm', tests),
    menu.choose('memtest-uefi', 'm', tests, { firmware: 'uefi' }),
  ]);
  for (const machine of quick) await menu.cluster.powerOff(machine);

  const rescued: readonly Step[] = [
    { prompt: /viver rescue# $/, within: BOOT_SECONDS },
    { type: 'exit\n' },
    { wait: rootReady({ image: 'serving', medium: 'net' }), within: BOOT_SECONDS },
    ...LOGIN,
  ];
  const booted: readonly Step[] = [
    { wait: rootReady({ image: `other@${other.id.slice(0, 12)}`, medium: 'net' }), within: BOOT_SECONDS },
    ...LOGIN,
  ];
  const [first, second] = await Promise.all([
    menu.choose('rescue', 'r', rescued),
    menu.choose('other-image', '1', booted),
  ]);
  expect(await menu.cluster.run(first, 'cat /etc/variant')).toBe('one');
  expect(await menu.cluster.run(second, 'cat /etc/variant')).toBe('two');
});

test("by UEFI the machine's own disk starts, past all network entries of its firmware", {
  timeout: 1_500_000,
}, async () => {
  const disks = [{ ...disk, file: await uefiDisk() }];
  await using menu = await Menu.open();
  // After the card's ROM QEMU's firmware has four entries of its own, and waits minutes for IPv6; then comes the disk.
  await menu.choose('local-uefi', 'l', [{ prompt: GREETING, within: 900 }], { firmware: 'uefi', disks });
});
