import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { attachLoop } from '../../../src/linux/block/loop.ts';
import { bindMount, MS, mount, moveMount, readMounts } from '../../../src/linux/mount.ts';
import { type Cow, mountDeviceCow, mountRamCow } from '../../../src/root/cow.ts';
import { findInit } from '../../../src/root/find-init.ts';
import { shutDown, shutdownSystem } from '../../../src/root/shutdown.ts';
import { installShutdownHooks, planShutdownHooks, rootHookReader } from '../../../src/root/shutdown-hooks.ts';
import { keepInitramfs, prepareSwitch, switchRoot } from '../../../src/root/switch.ts';
import { mountUnion } from '../../../src/root/union.ts';

/**
 * Run by real-root.test.ts in a mount namespace of its own: PLAY FOLDER IMAGE [DISK] → what was seen, as JSON.
 * The mounts go with the namespace.
 */
const [play = '', folder = '', image = '', disk = ''] = process.argv.slice(2);
const target = join(folder, 'root');
const cowPoint = join(folder, 'cow');

function build(cow: Cow): Cow {
  using loop = attachLoop({ file: join(folder, image), autoclear: true });
  mountUnion({ device: loop.path, lower: join(folder, 'lower'), cow, target });
  return cow;
}

function onDisk(): Cow {
  using loop = attachLoop({ file: join(folder, disk), readOnly: false, autoclear: true });
  const of = { name: 'debian', id: undefined, superblock: image.padEnd(64, '0') };
  return build(mountDeviceCow({ path: loop.path, type: 'ext4' }, of, cowPoint));
}

const mine = () => readMounts().filter((entry) => entry.target.startsWith(`${folder}/`));

const plays: Readonly<Record<string, () => unknown | Promise<unknown>>> = {
  /** Everything a root must be able to do, with writes in RAM. */
  ram() {
    build(mountRamCow(cowPoint));
    writeFileSync(join(target, 'etc/new'), 'new');
    renameSync(join(target, 'usr/share'), join(target, 'usr/shared'));
    const lower = readFileSync(join(folder, 'lower/etc/issue'), 'utf8');
    writeFileSync(join(target, 'etc/issue'), 'changed');
    return {
      root: readdirSync(target).sort(),
      moved: readdirSync(join(target, 'usr/shared')),
      lower,
      issue: readFileSync(join(target, 'etc/issue'), 'utf8'),
      init: findInit(target, undefined),
      options: mine().find((entry) => entry.target === target)?.superOptions,
    };
  },

  /** A boot that keeps its writes, ended as systemd ends it: all of VIVER's mounts lie on the union they make up. */
  async disk() {
    const run = join(folder, 'run');
    mkdirSync(run, { recursive: true });
    mount({ source: 'run', target: run, type: 'tmpfs' });
    for (const name of ['medium', 'cow', 'lower']) mkdirSync(join(run, name));
    using diskLoop = attachLoop({ file: join(folder, disk), readOnly: false, autoclear: true });
    const of = { name: 'debian', id: undefined, superblock: image.padEnd(64, '0') };
    const cow = mountDeviceCow({ path: diskLoop.path, type: 'ext4' }, of, join(run, 'cow'));
    // the image lies on a medium of its own, or on the disk that takes the writes
    let file = join(run, 'cow', image);
    if (play === 'disk') {
      bindMount(folder, join(run, 'medium'));
      file = join(run, 'medium', image);
    } else copyFileSync(join(folder, image), file);
    const imageLoop = attachLoop({ file, autoclear: true });
    mountUnion({ device: imageLoop.path, lower: join(run, 'lower'), cow, target });
    imageLoop.release();
    diskLoop.release();
    mkdirSync(join(target, 'run'), { recursive: true });
    moveMount(run, join(target, 'run'));

    const before = existsSync(join(target, 'etc/kept')) ? readFileSync(join(target, 'etc/kept'), 'utf8') : '';
    writeFileSync(join(target, 'etc/kept'), `${before}+`);
    const said: string[] = [];
    let ended = '';
    await shutDown('poweroff', {
      ...shutdownSystem((line) => said.push(line)),
      // of this machine only what is this test's
      mounts: mine,
      loops: () => [],
      end: async () => [],
      setAside(from) {
        mkdirSync(join(folder, 'aside'), { recursive: true });
        moveMount(from, mkdtempSync(join(folder, 'aside/')));
      },
      emergencyRemount: async () => true,
      reboot: (verb) => {
        ended = verb;
      },
    });
    return { before, note: cow.note, said, ended, left: mine().map((entry) => entry.target) };
  },

  /** The last step of the init systems that stay on their root. */
  hook() {
    onDisk();
    installShutdownHooks(planShutdownHooks('busybox', rootHookReader(target)), target, {
      cowMountpoint: '/cow',
      daemon: false,
    });
    mkdirSync(join(target, 'cow'));
    mkdirSync(join(target, 'dev'));
    bindMount('/dev', join(target, 'dev'));
    mount({ source: 'proc', target: join(target, 'proc'), type: 'proc' });
    // the emergency remount would be this machine's
    writeFileSync(join(folder, 'trigger'), '');
    const trigger = join(target, 'proc/sysrq-trigger');
    if (existsSync(trigger)) bindMount(join(folder, 'trigger'), trigger);
    moveMount(cowPoint, join(target, 'cow'));
    execFileSync('chroot', [target, '/usr/local/lib/viver/clean-cow'], { stdio: 'inherit' });
    copyFileSync(join(folder, disk), join(folder, 'left.disk')); // as the disk is now, still mounted
    return {
      trigger: readFileSync(join(folder, 'trigger'), 'utf8'),
      readOnly: mine()
        .filter((entry) => entry.superOptions.includes('ro'))
        .map((entry) => entry.target.slice(folder.length))
        .sort(),
    };
  },

  /** Becomes the image's init, which says what it finds. */
  switch() {
    mount({ source: 'run', target: '/run', type: 'tmpfs', flags: MS.NOSUID });
    build(mountRamCow(cowPoint));
    keepInitramfs();
    const { path } = findInit(target, undefined);
    prepareSwitch(target);
    switchRoot(target, path, ['quiet'], { HOME: '/' });
  },
};

const result = await plays[play === 'same' ? 'disk' : play]?.();
process.stdout.write(JSON.stringify(result));
