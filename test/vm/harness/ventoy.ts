import { readFile, stat, writeFile } from 'node:fs/promises';
import { newcArchive } from './archive.ts';
import { made, madeDisk } from './disks.ts';
import type { DirectKernel } from './scenario.ts';

/** What Ventoy writes into the boot sector of its disk when it is installed. */
const DISK_ID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
const DISK_ID_AT = 0x180;
const GUID = Buffer.from('2020777777' + '2e76656e746f792e6e6574', 'hex');

/**
 * A stick as Ventoy makes it: ISO files in any folder of an exFAT partition, and its own small FAT behind.
 * @param isos path → file here
 */
export async function ventoyStick(isos: Readonly<Record<string, string>>): Promise<string> {
  const stick = await madeDisk('ventoy', {
    table: 'mbr',
    partitions: [
      { fileSystem: 'exfat', label: 'Ventoy', files: isos },
      { fileSystem: 'vfat', label: 'VTOYEFI', sizeMiB: 32 },
    ],
  });
  return made('ventoy-stick', { description: 'id', files: [stick] }, async (target) => {
    const bytes = await readFile(stick);
    DISK_ID.copy(bytes, DISK_ID_AT);
    await writeFile(target, bytes);
  });
}

/** The 512 bytes by which Ventoy names what it starts (ventoy_os_param in its include/ventoy.h). */
function parameters(path: string, isoBytes: number, diskBytes: number): Buffer {
  const bytes = Buffer.alloc(512);
  GUID.copy(bytes);
  DISK_ID.copy(bytes, 17);
  bytes.writeBigUInt64LE(BigInt(diskBytes), 33);
  bytes.writeUInt16LE(1, 41);
  bytes.write(path, 45);
  bytes.writeBigUInt64LE(BigInt(isoBytes), 429);
  bytes[16] = 256 - (bytes.reduce((sum, byte) => sum + byte, 0) % 256);
  return bytes;
}

/** The kernel as Ventoy starts it: its own archive stands behind the initrd, with word of the ISO that was chosen. */
export async function startedByVentoy(kernel: DirectKernel, stick: string, path: string, iso: string) {
  const { initrd = '' } = kernel;
  const { size: diskBytes } = await stat(stick);
  const data = parameters(path, (await stat(iso)).size, diskBytes);
  const entries = [
    { path: 'ventoy', mode: 0o040755 },
    { path: 'ventoy/ventoy_os_param', mode: 0o100644, data },
  ];
  const both = await made(
    'ventoy-initrd',
    { description: [path, data.toString('hex')], files: [initrd] },
    async (target) => writeFile(target, Buffer.concat([await readFile(initrd), newcArchive(entries)])),
  );
  return { ...kernel, initrd: both };
}
