/**
 * Prints which firmware each module file below MODULES names, as src/hardware/firmware.ts reads it: `MODULE: FILE FILE…`.
 * usage: node scripts/firmware-table.ts MODULES
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { modinfoValues } from '../src/hardware/modinfo.ts';
import { moduleNameOfPath } from '../src/hardware/module-name.ts';
import { readModule } from '../src/linux/module.ts';

const [modules] = process.argv.slice(2);
if (modules === undefined) throw new Error('usage: firmware-table.ts MODULES');
for (const file of globSync('**/*.ko{,.gz,.xz,.zst}', { cwd: modules }).sort()) {
  const named = [...new Set(modinfoValues(readModule(join(modules, file)), 'firmware'))];
  if (named.length > 0) process.stdout.write(`${moduleNameOfPath(file)}: ${named.join(' ')}\n`);
}
