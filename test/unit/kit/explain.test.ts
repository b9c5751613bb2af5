import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planModules } from '../../../src/hardware/plan.ts';
import { explainModaliases, explainPlan } from '../../../src/kit/explain.ts';
import { memoryModules } from '../hardware/memory-modules.ts';

const FILES = {
  'modules.dep': 'kernel/drivers/ata/ahci.ko: kernel/drivers/ata/libata.ko\nkernel/drivers/ata/libata.ko:\n',
  'modules.alias': 'alias pci:v*bc01sc06i01* ahci\nalias pci:v*bc01sc06i01* other-ahci\n',
  'modules.softdep': '',
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'viver-explain-'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text);
});
afterEach(() => rmSync(directory, { recursive: true }));

const main = join(import.meta.dirname, '../../../src/kit/main.ts');

/** `viver explain ARGS…` in a process of its own. */
function explain(args: readonly string[], input: string | Buffer = '') {
  const source = `import { runCommand } from ${JSON.stringify(main)}; process.exitCode = await runCommand(process.argv.slice(1));`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', source, '--', 'explain', ...args],
    {
      input,
      encoding: 'latin1',
    },
  );
  return { status, stdout, stderr };
}

test('each modalias is answered on its line, in order, also an unknown or empty one', () => {
  const index = memoryModules(FILES);
  expect(explainModaliases('pci:v1bc01sc06i01\nnothing\n\nahci', index)).toBe(
    'pci:v1bc01sc06i01\tahci other_ahci\nnothing\t\n\t\nahci\tahci\n',
  );
  expect(explainModaliases('', index)).toBe('');
});

test('a plan is told device by device, then module by module', () => {
  const modalias = 'pci:v00008086d00002922sv0sd0bc01sc06i01';
  const device = {
    path: '/devices/pci0/0000:00:1f.2',
    bus: 'pci',
    name: '0000:00:1f.2',
    modaliases: [modalias],
    driver: 'ahci',
  };
  const text = explainPlan(planModules([device], memoryModules(FILES)));
  expect(text.split('\n')).toEqual([
    'pci0/0000:00:1f.2: SATA controller, driven by ahci',
    `    ${modalias}`,
    `    load ahci: drives ${modalias}`,
    '    missing other_ahci: no such module in /lib/modules/6.1',
    '    missing sd_mod: no such module in /lib/modules/6.1',
    '    missing sr_mod: no such module in /lib/modules/6.1',
    'to be loaded, in this order (2):',
    '    libata async_probe=1: ahci needs it',
    `    ahci: drives ${modalias}`,
    '',
  ]);
});

test('standard input is answered byte for byte', () => {
  const input = Buffer.from('pci:v1bc01sc06i01\nacpi:\xe9\xff:\n', 'latin1');
  const { status, stdout, stderr } = explain(['--modules', directory, '--modalias', '-'], input);
  expect(stderr).toBe('');
  expect(stdout).toBe('pci:v1bc01sc06i01\tahci other_ahci\nacpi:\xe9\xff:\t\n');
  expect(status).toBe(0);
});

test("this machine's devices are explained, as text and as JSON", () => {
  const text = explain(['--modules', directory]);
  expect(text.stdout).toMatch(/to be loaded, in this order \(\d+\):/);
  const { stdout, status } = explain(['--modules', directory, '--json']);
  const report = JSON.parse(stdout);
  expect(status).toBe(0);
  expect(report.directory).toBe(directory);
  expect(report.devices.length).toBeGreaterThan(5);
  expect(Object.keys(report.devices[0]).sort()).toEqual(['choices', 'class', 'device', 'want', 'what']);
  expect(Array.isArray(report.modules)).toBe(true);
});

test('bad lines of the tables are warned of', () => {
  writeFileSync(join(directory, 'modules.alias'), 'alias pci:v1 one\nrubbish\n');
  const { stdout, stderr } = explain(['--modules', directory, '--modalias', 'pci:v1']);
  expect(stdout).toBe('pci:v1\tone\n');
  expect(stderr).toBe("viver explain: modules.alias:2: no alias line: 'rubbish'\n");
});

test('wrong words and a wrong directory are told apart', () => {
  expect(explain(['--nonsense'])).toMatchObject({ status: 2, stdout: '' });
  expect(explain(['--json', '--modalias', '-'])).toMatchObject({ status: 2 });
  const missing = explain(['--modules', join(directory, 'none'), '--modalias', '-']);
  expect(missing.status).toBe(1);
  expect(missing.stderr).toMatch(/^viver explain: modules of .*none: no such directory[^\n]*\n$/);
});
