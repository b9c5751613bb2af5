import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { type REPLServer, start } from 'node:repl';
import { readAllDevices } from '../hardware/device.ts';
import { readModuleIndex } from '../hardware/module-directory.ts';
import { planModules } from '../hardware/plan.ts';
import { BOOT_CONFIG } from '../hardware/requested-modules.ts';
import { sysTree } from '../hardware/sys-tree.ts';
import { openImage } from '../image/image-file.ts';
import { readIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { verifyImage } from '../image/verify.ts';
import { readBlockDevice } from '../linux/block/block.ts';
import { attachLoop } from '../linux/block/loop.ts';
import { insertModule } from '../linux/module.ts';
import { MS, mount, readMounts, umount } from '../linux/mount.ts';
import { reboot, syncAll } from '../linux/reboot.ts';
import { SyscallPool } from '../linux/syscall-pool.ts';
import { readBlockDevices } from '../media/block-devices.ts';
import { probeDevice } from '../media/look.ts';
import { mediaAccess, readOnlyAccess } from '../media/media-access.ts';
import { findImages } from '../media/search.ts';
import { measureSpeeds } from '../media/speed.ts';
import { type Command, UsageError } from './command.ts';

/** What a person at the prompt has at hand, each with what it is for. */
const AT_HAND: Readonly<Record<string, readonly [value: unknown, what: string]>> = {
  devices: [
    () => readAllDevices(sysTree()),
    'devices()                         every device with its modaliases and driver',
  ],
  moduleIndex: [
    (directory = `/lib/modules/${release()}`) =>
      readModuleIndex(directory, { cmdline: readFileSync('/proc/cmdline', 'utf8'), config: [BOOT_CONFIG] }),
    'moduleIndex()                     the modules; .lookup(modalias), .file(name)',
  ],
  planModules: [planModules, 'planModules(devices(), moduleIndex())   what would be loaded, and why'],
  insertModule: [insertModule, 'insertModule(path, "a=1")         loads one module file'],
  blockDevices: [() => readBlockDevices().devices, 'blockDevices()                    disks and partitions'],
  fileSystemOf: [
    async (path: string) => {
      const { devices } = readBlockDevices();
      const device = devices.find((one) => one.path === path);
      if (device === undefined) throw new Error(`${path} is none of ${devices.map((one) => one.path).join(' ')}`);
      return (await probeDevice(device, [], readOnlyAccess)).content;
    },
    'await fileSystemOf("/dev/sda1")   what is on a device',
  ],
  findImages: [
    () =>
      findImages(readBlockDevices().devices, { ensureModules: async () => {}, access: mediaAccess(new SyscallPool()) }),
    'await findImages()                looks on every disk for images',
  ],
  measureSpeeds: [measureSpeeds, 'await measureSpeeds(candidates)   reads a little of each past the page cache'],
  openImage: [openImage, 'await openImage(path)             a squashfs, its superblock checked'],
  readIndexFile: [readIndexFile, 'await readIndexFile(path)         a chunk index (.caibx)'],
  makeChunkIndex: [makeChunkIndex, 'await makeChunkIndex(image)       the index of an image'],
  verifyImage: [verifyImage, 'await verifyImage(image, index)   every byte against the index'],
  readBlockDevice: [readBlockDevice, 'readBlockDevice("/dev/sda")       size, sector size, read-only'],
  attachLoop: [attachLoop, 'attachLoop({ file })              a block device of a file'],
  mount: [mount, 'mount({ source, target, type, flags: MS.RDONLY })'],
  umount: [umount, 'umount(target)'],
  mounts: [readMounts, 'mounts()                          what is mounted'],
  MS: [MS, 'MS                                flags of mount'],
  syncAll: [syncAll, 'syncAll()                         writes what is unwritten'],
  reboot: [reboot, 'reboot("restart")                 at once'],
};

export const javascript: Command = {
  name: 'javascript',
  summary: "a JavaScript prompt with VIVER's own functions at hand",
  usage: `usage: viver javascript

A prompt as of node, await included. At hand:
${Object.values(AT_HAND)
  .map(([, what]) => `  ${what}`)
  .join('\n')}
  help()                            these lines
`,
  async run(args, signal) {
    if (args.length > 0) throw new UsageError(`unexpected '${args[0]}'`);
    const prompt: REPLServer = start({ prompt: 'viver> ', useGlobal: true });
    for (const [name, [value]] of Object.entries(AT_HAND)) prompt.context[name] = value;
    prompt.context.help = () => process.stdout.write(javascript.usage);
    signal.addEventListener('abort', () => prompt.close(), { once: true });
    await new Promise((resolve) => prompt.once('exit', resolve));
  },
};
