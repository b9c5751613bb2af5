import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { cutElf, exportedObject, forgetUnwinding, sectionNamed } from '../../../scripts/elf-cut.ts';

const folder = mkdtempSync(join(tmpdir(), 'viver-elf-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PAGES = 100;
const PROGRAM = `
  #include <stdio.h>
  __attribute__((aligned(4096))) const char before[4096] = "before";
  __attribute__((aligned(4096))) const char payload_99[${PAGES} * 4096] = "payload";
  __attribute__((aligned(4096))) const char after[4096] = "after";
  __attribute__((section(".one"), used, aligned(4096))) const char one[3 * 4096] = "one";
  __attribute__((section(".two"), used, aligned(4096))) const char two[2 * 4096] = "two";
  __attribute__((section(".three"), used, aligned(4096))) const char three[3 * 4096] = "three";
  int main(void) { printf("%s %s %s\\n", before, payload_99, after); return 0; }
`;

/** Moves the table of segments to a segment of its own at the file's end, as postject does, where it can grow. */
function withRoomForSegments(elf: Buffer): Buffer {
  const [at, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(56)];
  const table = Buffer.from(elf.subarray(at, at + count * 56));
  const offset = Math.ceil(elf.length / 4096) * 4096;
  const address = 0x10000000;
  const room = Buffer.alloc((count + 3) * 56);
  table.copy(room);
  // Notes are of no use to the test: their segment becomes the table's.
  const note = Array.from({ length: count }, (_, row) => row * 56).find((row) => table.readUInt32LE(row) === 4) ?? 0;
  // PT_PHDR tells the loader where the table is.
  const own = Array.from({ length: count }, (_, row) => row * 56).find((row) => table.readUInt32LE(row) === 6) ?? 0;
  for (const field of [8, 16, 24]) table.writeBigUInt64LE(BigInt(field === 8 ? offset : address), own + field);
  const load = Buffer.alloc(56);
  load.writeUInt32LE(1, 0);
  load.writeUInt32LE(4, 4);
  for (const [field, value] of Object.entries({
    8: offset,
    16: address,
    24: address,
    32: room.length,
    40: room.length,
    48: 4096,
  }))
    load.writeBigUInt64LE(BigInt(value), Number(field));
  Buffer.concat([table.subarray(0, note), table.subarray(note + 56), load]).copy(room);
  const result = Buffer.concat([elf, Buffer.alloc(offset - elf.length), room]);
  result.writeBigUInt64LE(BigInt(offset), 32);
  return result;
}

function compile(): Buffer {
  const path = join(folder, 'program');
  execFileSync('gcc', ['-x', 'c', '-', '-o', path, '-no-pie', '-rdynamic'], { input: PROGRAM });
  return readFileSync(path);
}

function run(elf: Buffer): string {
  const path = join(folder, `run-${Math.random()}`);
  writeFileSync(path, elf);
  chmodSync(path, 0o755);
  return execFileSync(path, { encoding: 'utf8' });
}

test('a program runs without the pages that were taken out, and its other data stay where they were', () => {
  const program = withRoomForSegments(compile());
  expect(run(program)).toBe('before payload after\n');
  const place = exportedObject(program, /^payload_\d+$/);
  expect(place?.length).toBe(PAGES * 4096);
  const offset = place?.offset ?? 0;
  const cut = cutElf(program, { start: offset + 10, end: offset + PAGES * 4096 });
  expect(program.length - cut.length).toBe((PAGES - 1) * 4096);
  expect(run(cut)).toBe('before payload after\n');
});

test('what the program does not export is not found, and what has no room for a segment is refused', () => {
  const program = compile();
  expect(exportedObject(program, /^payload$/)).toBeUndefined();
  const offset = exportedObject(program, /^payload_99$/)?.offset ?? 0;
  expect(() => cutElf(program, { start: offset, end: offset + 8192 })).toThrow('no room for one more segment');
  expect(() => exportedObject(Buffer.from('no program'), /x/)).toThrow('not a 64-bit');
});

test('sections that lose their end, all or their beginning are what is left of them, at its address', () => {
  const program = withRoomForSegments(compile());
  const place = (elf: Buffer, name: string) => sectionNamed(elf, name) ?? { offset: Number.NaN, length: Number.NaN };
  const [one, two, three] = ['.one', '.two', '.three'].map((name) => place(program, name));
  if (one === undefined || two === undefined || three === undefined) throw new Error('a section is missing');
  expect([one.length, two.length, three.length]).toEqual([3 * 4096, 2 * 4096, 3 * 4096]);
  expect(two.offset).toBe(one.offset + one.length);
  expect(three.offset).toBe(two.offset + two.length);
  expect(sectionNamed(program, '.nowhere')).toBeUndefined();
  const cut = cutElf(program, { start: one.offset + 4096, end: three.offset + 4096 });
  expect(program.length - cut.length).toBe(5 * 4096);
  expect(place(cut, '.one')).toEqual({ offset: one.offset, length: 4096 });
  expect(place(cut, '.two')).toEqual({ offset: one.offset + 4096, length: 0 });
  expect(place(cut, '.three')).toEqual({ offset: one.offset + 4096, length: 2 * 4096 });
  expect(run(cut)).toBe('before payload after\n');
  const path = join(folder, 'cut');
  writeFileSync(path, cut);
  const readelf = (what: string) => execFileSync('readelf', [what, '-W', path], { encoding: 'utf8' });
  const addressOf = (name: string) => Number(`0x${new RegExp(`\\${name} +PROGBITS +(\\w+)`).exec(readelf('-S'))?.[1]}`);
  expect(addressOf('.three') - addressOf('.one')).toBe(6 * 4096);
  expect(readelf('-l')).toContain('GNU_EH_FRAME');
  forgetUnwinding(cut);
  writeFileSync(path, cut);
  expect(readelf('-l')).not.toContain('GNU_EH_FRAME');
  expect(run(cut)).toBe('before payload after\n');
});
