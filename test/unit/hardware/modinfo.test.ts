import { globSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { modinfoValues } from '../../../src/hardware/modinfo.ts';
import { readModule } from '../../../src/linux/module.ts';
import { kernelModules } from './kernel-tree.ts';

function moduleBytes(name: string): Uint8Array {
  const [path] = globSync(`**/${name}.ko*`, { cwd: kernelModules() });
  if (path === undefined) throw new Error(`no module ${name}`);
  return readModule(join(kernelModules(), path));
}

test('a module says its licence, its aliases and the firmware it asks for', () => {
  const bnx2 = moduleBytes('bnx2');
  expect(modinfoValues(bnx2, 'license')).toEqual(['GPL']);
  expect(modinfoValues(bnx2, 'firmware')).toContain('bnx2/bnx2-mips-09-6.2.1b.fw');
  expect(modinfoValues(bnx2, 'alias').length).toBeGreaterThan(5);
  expect(modinfoValues(bnx2, 'no such key')).toEqual([]);
});

test('any bytes, and a module cut short or changed anywhere, are read without an exception', () => {
  const loop = moduleBytes('loop');
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void modinfoValues(bytes, 'firmware')));
  fc.assert(
    fc.property(fc.nat(loop.length), fc.array(fc.tuple(fc.nat(200), fc.nat(255))), (length, changes) => {
      const bytes = Buffer.from(loop.subarray(0, length));
      for (const [at, value] of changes) bytes[at] = value;
      modinfoValues(bytes, 'firmware');
    }),
    { numRuns: 200 },
  );
});
