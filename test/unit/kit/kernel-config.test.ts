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
    { option: 'CONFIG_A', value: 'y', reason: 'first', instead: [] },
    { option: 'CONFIG_B', value: 'm', reason: 'second', instead: [] },
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
    requirements: [{ option: 'CONFIG_C', value: 'm', reason: 'third', instead: [] } as const],
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

test('an option for which another serves is not missing, and the other is named', () => {
  const x86 = fragments.find(({ name }) => name === 'x86');
  const about = (text: string) =>
    reportKernelConfig(`# Linux/x86 6.12.0 Kernel Configuration\n${text}`, x86 === undefined ? [] : [x86])
      .report.split('\n')
      .filter((line) => line.includes('CONFIG_FB_EFI:') || line.includes('CONFIG_FB_EFI ('));
  expect(about('CONFIG_DRM_SIMPLEDRM=y\nCONFIG_SYSFB_SIMPLEFB=y\n')).toEqual([
    'ok      CONFIG_FB_EFI (by CONFIG_DRM_SIMPLEDRM and CONFIG_SYSFB_SIMPLEFB): the console after UEFI',
  ]);
  expect(about('CONFIG_FB_EFI=y\n')).toEqual(['ok      CONFIG_FB_EFI: the console after UEFI']);
  // As a module it comes after the console it is for.
  expect(about('CONFIG_DRM_SIMPLEDRM=m\nCONFIG_SYSFB_SIMPLEFB=y\n')).toEqual([
    'missing CONFIG_FB_EFI: the console after UEFI',
  ]);
});

test('a kernel that is too old for the boot is refused by its version', () => {
  const report = (release: string) =>
    reportKernelConfig(`#\n# Linux/x86 ${release} Kernel Configuration\n#\nCONFIG_A=y\nCONFIG_B=y\n`, [required]);
  expect(report('4.9.0')).toMatchObject({
    boots: false,
    report: expect.stringContaining('does not boot: Linux 4.9.0 is too old: VIVER needs 4.19 or newer'),
  });
  for (const release of ['4.19.0', '5.4.0-rc1', '6.1.158', '10.0.0']) expect(report(release).boots).toBe(true);
});
