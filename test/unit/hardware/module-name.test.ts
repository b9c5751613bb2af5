import { expect, test } from 'vitest';
import { moduleNameOfPath, normalizeAlias, normalizeModuleName } from '../../../src/hardware/module-name.ts';

test('dashes of an alias become underscores, save in brackets', () => {
  expect(normalizeAlias('crypto-crc32c')).toBe('crypto_crc32c');
  expect(normalizeAlias('usb:v1-[0-9]-x')).toBe('usb:v1_[0-9]_x');
});

test('an alias whose brackets do not pair is none', () => {
  expect(normalizeAlias('a[0-9')).toBeUndefined();
  expect(normalizeAlias('a]')).toBeUndefined();
  expect(normalizeAlias('a[0]]')).toBeUndefined();
});

test('a module is named without folder and ending', () => {
  expect(moduleNameOfPath('kernel/drivers/ata/sata-x.ko.xz')).toBe('sata_x');
  expect(normalizeModuleName('snd-intel8x0')).toBe('snd_intel8x0');
});
