/**
 * Makes the binary keymaps that BusyBox' loadkmap reads, from X's layouts: ckbcomp (console-setup) and loadkeys (kbd).
 * usage: node scripts/keymaps.ts LIST DIRECTORY
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [list, directory] = process.argv.slice(2);
if (list === undefined || directory === undefined) throw new Error('usage: keymaps.ts LIST DIRECTORY');

/** BusyBox, console-tools/loadkmap.c: the word, a flag for each of 256 tables, then the tables that are there. */
const MAGIC = 'bkeymap';
const TABLES = 256;
const TABLE_BYTES = 256;
/** Sums of shift 1, AltGr 2, control 4, alt 8: what is typed at a prompt. ckbcomp fills 128 tables. */
const KEPT = new Set([0, 1, 2, 3, 4, 5, 8, 9, 12]);

function run(program: string, args: readonly string[], input = ''): Buffer {
  return execFileSync(program, args, { input, stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 16 << 20 });
}

/** The same keymap without the tables that nobody types. */
function trimmed(keymap: Buffer): Buffer {
  const start = MAGIC.length + TABLES;
  if (keymap.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('loadkeys -b gives no binary keymap');
  const flags = Buffer.from(keymap.subarray(MAGIC.length, start));
  const tables: Buffer[] = [];
  let offset = start;
  for (const [table, flag] of flags.entries()) {
    if (flag !== 1) continue;
    if (KEPT.has(table)) tables.push(keymap.subarray(offset, offset + TABLE_BYTES));
    else flags[table] = 0;
    offset += TABLE_BYTES;
  }
  if (offset !== keymap.length) throw new Error(`a keymap of ${keymap.length} bytes has tables up to ${offset}`);
  return Buffer.concat([Buffer.from(MAGIC), flags, ...tables]);
}

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
for (const row of readFileSync(list, 'utf8').split('\n')) {
  const [name, layout, variant] = row.replace(/#.*/, '').trim().split(/\s+/);
  if (name === undefined || name === '' || layout === undefined) continue;
  if (layout === '=') symlinkSync(`${variant}.bmap`, join(directory, `${name}.bmap`));
  else {
    const words = ['-layout', layout, ...(variant === undefined ? [] : ['-variant', variant])];
    const text = run('ckbcomp', words).toString('utf8');
    writeFileSync(join(directory, `${name}.bmap`), trimmed(run('loadkeys', ['-q', '-b', '-u'], text)));
  }
}
