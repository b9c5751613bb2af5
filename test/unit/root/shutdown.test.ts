import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MountEntry, parseMountinfo } from '../../../src/linux/mount.ts';
import {
  parseShutdownVerb,
  planRemounts,
  planUnmounts,
  type ShutdownSystem,
  shutDown,
} from '../../../src/root/shutdown.ts';

/** As seen by the shutdown after systemd has gone back to the initramfs. */
const MOUNTS = `1 1 0:1 / / rw - rootfs none rw
20 1 0:5 / /dev rw - devtmpfs none rw
21 1 0:4 / /proc rw - proc none rw
22 1 0:6 / /sys rw - sysfs none rw
23 1 0:7 / /run rw - tmpfs none rw
24 1 0:40 / /oldroot rw - overlay viver-root rw,lowerdir=/run/viver/lower
25 24 0:7 / /oldroot/run rw - tmpfs none rw
26 25 8:1 / /oldroot/run/viver/media/sda1 ro - ext4 /dev/sda1 ro
27 25 7:0 / /oldroot/run/viver/lower ro - squashfs /dev/loop0 ro
28 25 8:2 / /oldroot/run/viver/cow rw - ext4 /dev/sda2 rw
`;

interface Machine {
  /** Targets that are in use, until `freedBy` is unmounted or the storage daemons have ended. */
  readonly busy?: Readonly<Record<string, string>>;
  readonly remountFails?: ReadonlySet<string>;
  readonly emergencyFails?: boolean;
  readonly mountinfo?: string;
}

/** Where a mount was before it was set aside. */
const was = (target: string) => target.replace('/run/aside', '');

function machine({ busy = {}, remountFails = new Set(), emergencyFails = false, mountinfo = MOUNTS }: Machine = {}) {
  let mounts: MountEntry[] = parseMountinfo(mountinfo);
  let loops = ['/dev/loop0', '/dev/loop1'];
  const done: string[] = [];
  const readOnly = (entry: MountEntry): MountEntry => ({ ...entry, options: ['ro'], superOptions: ['ro'] });
  const system: ShutdownSystem = {
    mounts: () => mounts,
    umount(target) {
      const holder = busy[was(target)];
      if (
        holder !== undefined &&
        (mounts.some((entry) => was(entry.target) === holder) || (holder === 'daemon' && !done.includes('end storage')))
      ) {
        throw new Error(`umount ${target}: EBUSY`);
      }
      if (mounts.some((entry) => entry.target.startsWith(`${target}/`))) throw new Error(`umount ${target}: EBUSY`);
      mounts = mounts.filter((entry) => entry.target !== target);
      done.push(`umount ${target}`);
    },
    setAside(target) {
      mounts = mounts.map((entry) =>
        entry.target === target || entry.target.startsWith(`${target}/`)
          ? { ...entry, parent: 1, target: `/run/aside${entry.target}` }
          : entry,
      );
      done.push(`aside ${target}`);
    },
    remountReadOnly(target) {
      if (remountFails.has(was(target))) throw new Error(`remount ${target}: EBUSY`);
      mounts = mounts.map((entry) => (entry.target === target ? readOnly(entry) : entry));
      done.push(`read-only ${target}`);
    },
    async emergencyRemount() {
      done.push('emergency');
      if (!emergencyFails) mounts = mounts.map(readOnly);
      return !emergencyFails;
    },
    loops: () => loops,
    detachLoop(path) {
      // one in use stays until its last user goes, and the call succeeds all the same
      if (path === '/dev/loop0' && mounts.some((entry) => entry.source === path)) return;
      loops = loops.filter((other) => other !== path);
    },
    sync: () => void done.push('sync'),
    async end(which) {
      done.push(`end ${which}`);
      return [];
    },
    reboot: (verb) => void done.push(`reboot ${verb}`),
    say: (line) => void done.push(`say ${line}`),
  };
  return { system, done };
}

const ALL = [
  'umount /oldroot/run/viver/cow',
  'umount /oldroot/run/viver/lower',
  'umount /oldroot/run/viver/media/sda1',
  'umount /oldroot/run',
  'umount /oldroot',
];

test('everything is unmounted, last mounted first, before the storage daemons end and the machine with them', async () => {
  const { system, done } = machine();
  await shutDown('poweroff', system);
  expect(done).toEqual(['end ordinary', 'sync', ...ALL, 'end storage', 'emergency', 'sync', 'reboot poweroff']);
});

test('what is in use is tried again when what lay on it is gone', async () => {
  const { system, done } = machine({ busy: { '/oldroot/run/viver/cow': '/oldroot/run/viver/lower' } });
  await shutDown('restart', system);
  expect(done.filter((line) => line.startsWith('umount')).sort()).toEqual([...ALL].sort());
  expect(done.filter((line) => line.startsWith('say'))).toEqual([]);
});

test('what a storage daemon holds is unmounted after that has ended, and not complained of', async () => {
  const { system, done } = machine({ busy: { '/oldroot': 'daemon' } });
  await shutDown('halt', system);
  expect(done.filter((line) => line.startsWith('say'))).toEqual([]);
  expect(done.slice(-5)).toEqual(['end storage', 'umount /oldroot', 'emergency', 'sync', 'reboot halt']);
});

test('a medium that the union needs and that lies on it is moved out of the circle', async () => {
  const medium = '/oldroot/run/viver/media/sda1';
  const { system, done } = machine({ busy: { [medium]: '/oldroot' } });
  await shutDown('poweroff', system);
  expect(done).toContain('aside /oldroot/run');
  expect(done.filter((line) => /umount|say/.test(line))).toEqual([
    'umount /oldroot/run/viver/cow',
    'umount /oldroot/run/viver/lower',
    'umount /oldroot',
    `umount /run/aside${medium}`,
    'umount /run/aside/oldroot/run',
  ]);
});

test('a loop device in use, which the kernel takes from its file in words only, does not keep the machine from its end', async () => {
  const lower = '/oldroot/run/viver/lower';
  const { system, done } = machine({ busy: { [lower]: lower } });
  await shutDown('poweroff', system);
  expect(done).toContain(`say umount /run/aside${lower}: EBUSY`);
  expect(done.at(-1)).toBe('reboot poweroff');
});

test('what stays in use is made read-only and said', async () => {
  const { system, done } = machine({ busy: { '/oldroot/run/viver/cow': '/oldroot/run/viver/cow' } });
  await shutDown('poweroff', system);
  expect(done).toContain('read-only /run/aside/oldroot/run/viver/cow');
  expect(done).toContain('say /run/aside/oldroot/run/viver/cow (/dev/sda2) is still in use, made read-only');
  expect(done.at(-1)).toBe('reboot poweroff');
});

test('what cannot even be made read-only is left to the kernel’s emergency remount', async () => {
  const cow = '/oldroot/run/viver/cow';
  const { system, done } = machine({ busy: { [cow]: cow }, remountFails: new Set([cow, '/oldroot']) });
  await shutDown('poweroff', system);
  expect(done).toContain('emergency');
  expect(done.at(-1)).toBe('reboot poweroff');
});

test('a machine ends in any case, and what is left unclean is named', async () => {
  const cow = '/oldroot/run/viver/cow';
  const { system, done } = machine({
    busy: { [cow]: cow },
    remountFails: new Set([cow, '/oldroot']),
    emergencyFails: true,
  });
  await shutDown('poweroff', system);
  expect(done).toContain(`say /run/aside${cow} (/dev/sda2) is left unclean`);
  expect(done.at(-1)).toBe('reboot poweroff');
});

test('on a root that is still in use the disk below it is made read-only by the kernel, as no path leads to it', async () => {
  const { system, done } = machine({ mountinfo: '24 1 0:40 / / rw - overlay viver-root rw\n' });
  await shutDown('poweroff', system);
  expect(done.slice(-5)).toEqual([
    'read-only /',
    'say / (viver-root) is still in use, made read-only',
    'emergency',
    'sync',
    'reboot poweroff',
  ]);
});

test('a machine ends although a step of its shutdown fails', async () => {
  const { system, done } = machine();
  const end = async () => {
    throw new Error('no /proc');
  };
  await shutDown('poweroff', { ...system, end });
  expect(done).toEqual(['say no /proc', 'sync', 'reboot poweroff']);
});

test('the kernel’s own file systems stay, whatever lies on them', () => {
  expect(planUnmounts(parseMountinfo(MOUNTS))).toEqual(ALL.map((line) => line.replace('umount ', '')));
});

test('only what can still be written to and would be left unclean is remounted', () => {
  expect(planRemounts(parseMountinfo(MOUNTS)).map((entry) => entry.target)).toEqual([
    '/oldroot',
    '/oldroot/run/viver/cow',
  ]);
});

test('any mount is unmounted after all that were mounted later', () => {
  const target = fc.array(fc.constantFrom('a', 'b', 'run', 'dev'), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(target, { maxLength: 20 }), (paths) => {
      const entries = paths.map(
        (parts, id): MountEntry => ({
          id,
          parent: 0,
          major: 0,
          minor: id,
          root: '/',
          target: `/${parts.join('/')}`,
          options: ['rw'],
          type: 'ext4',
          source: 'x',
          superOptions: ['rw'],
        }),
      );
      const kept = entries.map((entry) => entry.target).filter((path) => !['/run', '/dev'].includes(path));
      expect(planUnmounts(entries)).toEqual(kept.reverse());
    }),
  );
});

test.each([
  ['poweroff', 'poweroff'],
  ['reboot', 'restart'],
  ['halt', 'halt'],
  ['kexec', 'kexec'],
])('%s is what init systems call the kernel’s %s', (word, verb) => {
  expect(parseShutdownVerb(word)).toBe(verb);
});

test.each([undefined, '', 'sleep', 'constructor'])('%j ends no machine', (word) => {
  expect(() => parseShutdownVerb(word)).toThrow(/is none of poweroff, halt, reboot, kexec/);
});
