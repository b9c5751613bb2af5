import { expect, test } from 'vitest';
import type { ModuleLoader } from '../../../src/hardware/load.ts';
import { type HardwareEvent, HardwareWatch, watchHardware } from '../../../src/hardware/watch.ts';
import { memoryModules } from './memory-modules.ts';
import { deviceFiles, type MemoryDevice, memoryTree } from './memory-tree.ts';

const FILES = {
  'modules.dep':
    'kernel/virtio_pci.ko:\nkernel/virtio_blk.ko:\nkernel/usb_storage.ko: kernel/usbcore.ko\nkernel/usbcore.ko:\nkernel/isofs.ko:\n',
  'modules.alias':
    'alias pci:v00001AF4d* virtio_pci\nalias virtio:d00000002v* virtio_blk\nalias usb:*ic08* usb_storage\nalias fs-iso9660 isofs\n',
};
const DISK: MemoryDevice = {
  bus: 'pci',
  path: 'pci0/0000:00:04.0',
  modalias: 'pci:v00001AF4d00001042sv0sd0bc01sc00i00',
};
const VIRTIO: MemoryDevice = {
  bus: 'virtio',
  path: 'pci0/0000:00:04.0/virtio0',
  modalias: 'virtio:d00000002v00001AF4',
};
const STICK: MemoryDevice = {
  bus: 'usb',
  path: 'usb1/1-2/1-2:1.0',
  modalias: 'usb:v1p1d1dc00dsc00dp00ic08isc06ip50in00',
  files: { bInterfaceClass: '08' },
};

/** A machine to which devices can be added; loading `virtio_pci` makes the virtio device appear. */
function machine(devices: readonly MemoryDevice[], load: ModuleLoader['load'] = async () => {}) {
  const present = [...devices];
  const loaded: string[] = [];
  const failures: string[] = [];
  let nowMs = 0;
  let sent = 0;
  const tree = () => memoryTree({ ...deviceFiles(present), '/sys/kernel/uevent_seqnum': String(sent) });
  const options = {
    tree: {
      list: (path: string) => tree().list(path),
      read: (path: string) => tree().read(path),
      link: (path: string) => tree().link(path),
    },
    index: memoryModules(FILES),
    loader: {
      has: () => false,
      async load(module: Parameters<ModuleLoader['load']>[0]) {
        loaded.push(module.path.replace(/^.*\/|\.ko$/g, ''));
        await load(module);
      },
    },
    now: () => nowMs,
    onFailure: (text: string) => void failures.push(text),
  };
  const event = (device: MemoryDevice, action = 'add'): HardwareEvent => ({
    action,
    devpath: `/devices/${device.path}`,
    subsystem: device.bus,
    sequence: ++sent,
    env: device.modalias === undefined ? {} : { MODALIAS: device.modalias },
  });
  return {
    options,
    loaded,
    failures,
    add: (device: MemoryDevice) => {
      present.push(device);
      return event(device);
    },
    remove: (device: MemoryDevice) => {
      present.splice(present.indexOf(device), 1);
      return event(device, 'remove');
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('cold devices get their drivers, and a device that comes later gets its own', async () => {
  const { options, loaded, add } = machine([DISK]);
  const watch = new HardwareWatch(options);
  await watch.rescan();
  expect(loaded).toEqual(['virtio_pci', 'virtio_blk']);
  await watch.event(add(STICK));
  expect(loaded).toEqual(['virtio_pci', 'virtio_blk', 'usbcore', 'usb_storage']);
  expect(watch.wants.map(({ want }) => want)).toEqual(['/devices/pci0/0000:00:04.0', '/devices/usb1/1-2/1-2:1.0']);
});

test('a device is driven once, by whatever events it is told of, and again after it was pulled out', async () => {
  const { options, loaded, add, remove } = machine([]);
  const watch = new HardwareWatch(options);
  await watch.event(add(STICK));
  await watch.event({ ...add(VIRTIO), action: 'bind' });
  await watch.event({ ...add(STICK), action: 'change' });
  expect(loaded).toEqual(['usbcore', 'usb_storage']);
  await watch.event(remove(STICK));
  expect(watch.wants).toEqual([]);
});

test('after lost events everything new is found by looking again', async () => {
  const { options, loaded, add } = machine([DISK]);
  const watch = new HardwareWatch(options);
  await watch.rescan();
  add(STICK);
  await watch.rescan();
  expect(loaded).toEqual(['virtio_pci', 'virtio_blk', 'usbcore', 'usb_storage']);
});

test('a scan goes on in quiet moments only, and until then it is pending', async () => {
  const { options, loaded } = machine([DISK, STICK]);
  let isQuiet = () => {};
  const watch = new HardwareWatch({ ...options, quiet: () => new Promise((resolve) => (isQuiet = resolve)) });
  const cold = watch.rescan();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(loaded).toEqual([]);
  expect(watch.pending()).toContainEqual({ text: 'buses are being looked at' });
  const moments = setInterval(() => isQuiet(), 0);
  await cold;
  clearInterval(moments);
  expect(loaded).toEqual(['virtio_pci', 'virtio_blk', 'usbcore', 'usb_storage']);
});

test('a network card that was left to the image is driven by the scan after it was included', async () => {
  const card: MemoryDevice = {
    bus: 'pci',
    path: 'pci0/0000:00:05.0',
    modalias: 'pci:v00008086d0000100Esv0sd0bc02sc00i00',
  };
  const { options, loaded } = machine([DISK, card]);
  const index = memoryModules({
    'modules.dep': `${FILES['modules.dep']}kernel/drivers/net/e1000.ko:\n`,
    'modules.alias': `${FILES['modules.alias']}alias pci:v00008086d0000100E* e1000\n`,
  });
  const watch = new HardwareWatch({ ...options, index, plan: { deferNetwork: 'left to the image' } });
  await watch.rescan();
  expect(loaded).toEqual(['virtio_pci', 'virtio_blk']);
  expect([watch.includeNetwork(), watch.includeNetwork()]).toEqual([true, false]);
  await watch.rescan();
  expect(loaded).toEqual(['virtio_pci', 'virtio_blk', 'e1000']);
});

test('modules by name are loaded once, and what is not there is left', async () => {
  const { options, loaded } = machine([]);
  const watch = new HardwareWatch(options);
  await Promise.all([watch.ensureModules(['isofs', 'none']), watch.ensureModules(['fs-iso9660'])]);
  expect(loaded).toEqual(['isofs']);
});

test('a driver that is starting is pending, and a change is told when it has', async () => {
  let finish = () => {};
  const { options } = machine([DISK], () => new Promise((resolve) => (finish = resolve)));
  const watch = new HardwareWatch({
    ...options,
    index: memoryModules({ ...FILES, 'modules.dep': 'kernel/virtio_pci.ko:\n' }),
  });
  const cold = watch.rescan();
  expect(watch.pending()).toEqual([{ text: 'buses are being looked at' }]);
  await expect.poll(() => watch.pending()).toEqual([{ text: 'driver virtio_pci is starting' }]);
  const changed = watch.changed(60_000);
  finish();
  await Promise.all([cold, changed]);
  expect(watch.pending()).toEqual([]);
});

test('a device the kernel has announced and nobody has read yet is pending, for a short while', async () => {
  const { options, add, pass } = machine([DISK]);
  const watch = new HardwareWatch(options);
  await watch.rescan();
  const event = add(VIRTIO);
  expect(watch.pending()).toEqual([{ text: 'new devices are being announced', vague: true }]);
  await watch.event(event);
  expect(watch.pending()).toEqual([]);
  add(VIRTIO);
  expect(watch.pending()).toHaveLength(1);
  pass(500);
  expect(watch.pending()).toEqual([]);
});

test('a stick is pending from when it was first seen, and anew when it is put in again', async () => {
  const { options, add, remove, pass } = machine([]);
  const watch = new HardwareWatch(options);
  await watch.event(add(STICK));
  expect(watch.pending()).toHaveLength(1);
  pass(10_000);
  expect(watch.pending()).toEqual([]);
  await watch.event(remove(STICK));
  await watch.event(add(STICK));
  expect(watch.pending()).toHaveLength(1);
});

test('a failing module is told once, with its device', async () => {
  const fail = () =>
    Promise.reject(Object.assign(new Error('finit_module: EINVAL (Invalid argument)'), { code: 'EINVAL' }));
  const { options, failures } = machine([DISK], fail);
  const watch = new HardwareWatch(options);
  await watch.rescan();
  await watch.ensureModules(['virtio_pci']);
  expect(failures).toEqual([
    'module virtio_pci (/lib/modules/6.1/kernel/virtio_pci.ko) for 0000:00:04.0: finit_module: EINVAL (Invalid argument)',
    'module virtio_blk (/lib/modules/6.1/kernel/virtio_blk.ko) for 0000:00:04.0: finit_module: EINVAL (Invalid argument)',
  ]);
  expect((await watch.outcomes()).map(({ kind }) => kind)).toEqual(['failed', 'failed']);
});

test('an optional module that is not for this machine is no failure', async () => {
  const fail = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));
  const index = memoryModules({ 'modules.dep': 'a.ko:\nsoft.ko:\n', 'modules.softdep': 'softdep a pre: soft\n' });
  const noDevice = machine([], fail('ENODEV'));
  await new HardwareWatch({ ...noDevice.options, index }).ensureModules(['a']);
  expect(noDevice.failures).toEqual(['module a (/lib/modules/6.1/a.ko) for a: ENODEV']);
  const broken = machine([], fail('ENOEXEC'));
  await new HardwareWatch({ ...broken.options, index }).ensureModules(['a']);
  expect(broken.failures).toHaveLength(2);
});

test('events are listened for before the first look, and are followed', async () => {
  const { options, loaded, add } = machine([DISK]);
  let tell: ((event: HardwareEvent) => void) | undefined;
  let lose: (() => void) | undefined;
  const { watch, cold } = watchHardware({
    ...options,
    listen: (onEvent, onLost) => {
      expect(loaded).toEqual([]);
      tell = onEvent;
      lose = onLost;
    },
  });
  await cold;
  tell?.(add(STICK));
  await watch.changed(60_000);
  lose?.();
  await watch.ensureModules(['isofs']);
  expect(loaded).toEqual(['virtio_pci', 'virtio_blk', 'usbcore', 'usb_storage', 'isofs']);
});

test('waiting for a change ends with its time', async () => {
  const { options } = machine([]);
  await expect(new HardwareWatch(options).changed(1)).resolves.toBeUndefined();
});
