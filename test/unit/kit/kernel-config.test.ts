import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  checkFragment,
  type Fragment,
  parseFragment,
  parseKernelConfig,
  reportKernelConfig,
} from '../../../src/kit/kernel-config.ts';
import { kernelModules } from '../hardware/kernel-tree.ts';

const folder = join(import.meta.dirname, '../../../kernel-config');
const fragments: readonly Fragment[] = readdirSync(folder)
  .filter((name) => name.endsWith('.config'))
  .map((name) => parseFragment(readFileSync(join(folder, name), 'utf8'), basename(name, '.config')));

const required: Fragment = {
  name: 'required',
  requirements: [
    { option: 'CONFIG_A', value: 'y', reason: 'first' },
    { option: 'CONFIG_B', value: 'm', reason: 'second' },
  ],
};

test('every option of every fragment has a reason, and none stands twice', () => {
  const options = fragments.flatMap(({ requirements }) => requirements.map(({ option }) => option));
  expect(options.length).toBeGreaterThan(60);
  expect(new Set(options).size).toBe(options.length);
});

test("Debian's kernel boots VIVER, and only NTFS is not read by it", () => {
  const modules = kernelModules();
  const config = readFileSync(join(modules, '../../../boot', `config-${basename(modules)}`), 'latin1');
  const { report, boots } = reportKernelConfig(config, fragments);
  expect(boots).toBe(true);
  expect(report.split('\n').filter((line) => line.startsWith('missing'))).toEqual([
    'missing CONFIG_NTFS3_FS: disks with Windows',
  ]);
});

test('built in is ok, a module will do where one may, the rest is missing', () => {
  const found = (text: string) =>
    checkFragment(required, parseKernelConfig(text).options).map((checked) => checked.found);
  expect(found('CONFIG_A=y\nCONFIG_B=m\n')).toEqual(['ok', 'module']);
  expect(found('CONFIG_A=m\nCONFIG_B=y\n')).toEqual(['missing', 'ok']);
  expect(found('# CONFIG_A is not set\n')).toEqual(['missing', 'missing']);
});

test('what is missing is told with its weight', () => {
  const drivers = {
    ...required,
    name: 'drivers',
    requirements: [{ option: 'CONFIG_C', value: 'm', reason: 'third' } as const],
  };
  expect(reportKernelConfig('CONFIG_A=m\nCONFIG_B=m\n', [drivers, required])).toEqual({
    report: [
      'missing CONFIG_A (a module, must be built in): first',
      'module  CONFIG_B: second',
      'missing CONFIG_C: third',
      'boots, but not from everything: CONFIG_C',
      'does not boot: CONFIG_A',
      '',
    ].join('\n'),
    boots: false,
  });
});

test("an architecture's fragment counts for its kernels only", () => {
  const x86 = { ...required, name: 'x86' };
  expect(reportKernelConfig('# Linux/arm64 6.1.0 Kernel Configuration\n', [x86]).report).toBe('\n');
  expect(reportKernelConfig('# Linux/x86 6.1.0 Kernel Configuration\n', [x86]).report).toMatch(/missing CONFIG_A/);
});

test('a fragment with a line that is no option, or with no reason, is refused', () => {
  expect(() => parseFragment('# why\nCONFIG_A=1\n', 'x')).toThrow("x.config:2: not CONFIG_NAME=y or =m: 'CONFIG_A=1'");
  expect(() => parseFragment('# head\n\nCONFIG_A=y\n', 'x')).toThrow('x.config:3: CONFIG_A has no reason above it');
  expect(() => parseFragment('# why\nCONFIG_A=y\nCONFIG_B=y\n', 'x')).toThrow('CONFIG_B has no reason');
});

test('any text as a configuration is read without an exception', () => {
  fc.assert(fc.property(fc.string(), (text) => void reportKernelConfig(text, fragments)));
});
