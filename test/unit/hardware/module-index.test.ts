import { expect, test } from 'vitest';
import { memoryModules } from './memory-modules.ts';

const FILES = {
  'modules.dep':
    'kernel/drivers/scsi/sd_mod.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz\nkernel/drivers/scsi/scsi_mod.ko.xz:\n/lib/old/snd-x.ko:\n',
  'modules.alias': 'alias scsi:t-0x00* sd_mod\nalias fs-iso9660 isofs\nalias crypto-x one\nalias crypto-x two\n',
  'modules.builtin': 'kernel/drivers/input/serio/i8042.ko\n',
  'modules.builtin.modinfo': 'i8042.alias=acpi*:PNP0303:*\0',
  'modules.symbols': 'alias symbol:scsi_register sd_mod\n',
};

test('a module has its file and what it needs, by name', () => {
  const index = memoryModules(FILES);
  expect(index.file('sd_mod')).toEqual({
    name: 'sd_mod',
    path: '/lib/modules/6.1/kernel/drivers/scsi/sd_mod.ko.xz',
    dependencies: ['scsi_mod'],
  });
  expect(index.file('nothing')).toBeUndefined();
});

test('a path from the root stays as it is', () => {
  expect(memoryModules(FILES).file('snd_x')?.path).toBe('/lib/old/snd-x.ko');
});

test('the first source that knows a name answers', () => {
  const index = memoryModules(FILES, [{ name: 'c', text: 'alias sd-* mine\ninstall special /sbin/x\n' }]);
  expect(index.lookup('scsi:t-0x00')).toEqual(['sd_mod']);
  expect(index.lookup('sd-mod')).toEqual(['mine']);
  expect(index.lookup('scsi-mod')).toEqual(['scsi_mod']);
  expect(index.lookup('special')).toEqual(['special']);
  expect(index.lookup('symbol:scsi_register')).toEqual(['sd_mod']);
  expect(index.lookup('crypto-x')).toEqual(['one', 'two']);
  expect(index.lookup('i8042')).toEqual(['i8042']);
  expect(index.lookup('acpi:PNP0303:')).toEqual(['i8042']);
  expect(index.lookup('nothing')).toEqual([]);
  expect(index.lookup('bro[ken')).toEqual([]);
});

test('pcimap and usbmap answer where there are no aliases, and add to those there are', () => {
  const zeros = '0x00000000 0x00000000 0x0';
  const index = memoryModules({
    'modules.alias': 'alias pci:v00008086d00002415* snd_intel8x0\n',
    'modules.pcimap': `snd-intel8x0 0x00008086 0x00002415 0xffffffff 0xffffffff ${zeros}\nother-one 0x00008086 0x00002415 0xffffffff 0xffffffff ${zeros}\n`,
    'modules.usbmap': 'usb-storage 0x0080 0 0 0 0 0 0 0 0x08 0 0 0x0\n',
  });
  expect(index.lookup('pci:v00008086d00002415sv00000000sd00000000bc04sc01i00')).toEqual(['snd_intel8x0', 'other_one']);
  expect(index.lookup('usb:v0781p5567d0100dc00dsc00dp00ic08isc06ip50in00')).toEqual(['usb_storage']);
  expect(index.lookup('pci:nonsense')).toEqual([]);
});

test('a modules.dep cut short keeps its whole lines and names the cut one', () => {
  const index = memoryModules({ 'modules.dep': `${FILES['modules.dep']}kernel/drivers/nvme/host/nv` });
  expect(index.file('sd_mod')).toBeDefined();
  expect(index.file('nv')).toBeUndefined();
  expect(index.problems).toEqual(["modules.dep:4: no 'path:' line: 'kernel/drivers/nvme/host/nv'"]);
});

test('no file at all gives no answers and no exception', () => {
  const index = memoryModules({});
  expect(index.lookup('pci:v1')).toEqual([]);
  expect(index.lookup('symbol:x')).toEqual([]);
  expect(index.isBuiltin('x')).toBe(false);
  expect(index.softdep('x')).toBeUndefined();
});

test('the modules.dep of Linux 2.4: lines that go on after a backslash, and only what a module needs next', () => {
  const dep = [
    '/lib/modules/2.4.37/kernel/drivers/net/8139too.o:\t/lib/modules/2.4.37/kernel/drivers/net/mii.o \\',
    '\t/lib/modules/2.4.37/kernel/lib/crc32.o',
    '',
    '/lib/modules/2.4.37/kernel/drivers/net/mii.o:\t/lib/modules/2.4.37/kernel/lib/base.o',
    '/lib/modules/2.4.37/kernel/lib/crc32.o:',
    '/lib/modules/2.4.37/kernel/lib/base.o:',
    '/lib/modules/2.4.37/kernel/round.o: /lib/modules/2.4.37/kernel/trip.o',
    '/lib/modules/2.4.37/kernel/trip.o: /lib/modules/2.4.37/kernel/round.o',
    '',
  ].join('\n');
  const index = memoryModules({ 'modules.dep': dep });
  expect(index.file('8139too')).toEqual({
    name: '8139too',
    path: '/lib/modules/2.4.37/kernel/drivers/net/8139too.o',
    dependencies: ['mii', 'crc32', 'base'],
  });
  expect(index.file('round')?.dependencies).toEqual(['trip']);
  expect(index.problems).toEqual([]);
});

test('a modules.dep that ends within a continued line says so', () => {
  const index = memoryModules({ 'modules.dep': 'a.ko:\nb.ko: a.ko \\' });
  expect(index.file('a')?.path).toBe('/lib/modules/6.1/a.ko');
  expect(index.problems).toEqual(['modules.dep:2: ends within a line that goes on']);
});
