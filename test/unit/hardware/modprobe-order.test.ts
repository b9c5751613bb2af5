import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { readModuleIndex } from '../../../src/hardware/module-directory.ts';
import { moduleNameOfPath } from '../../../src/hardware/module-name.ts';
import { planModules } from '../../../src/hardware/plan.ts';

const root = mkdtempSync(join(tmpdir(), 'viver-modprobe-'));
afterAll(() => rmSync(root, { recursive: true }));
const directory = join(root, 'lib/modules/1.0');
mkdirSync(directory, { recursive: true });
mkdirSync(join(root, 'config'));

const COUNT = 8;
mkdirSync(join(directory, 'kernel'));
for (let module = 0; module < COUNT; module++) writeFileSync(join(directory, `kernel/m${module}.ko`), '');

/** Modules m0 … m7; one needs only later ones, as nothing that depmod takes goes round. */
interface Tree {
  readonly needs: readonly (readonly number[])[];
  readonly pre: readonly (readonly number[])[];
  readonly post: readonly (readonly number[])[];
}

const some = (chance: number) =>
  fc.array(
    fc
      .array(fc.tuple(fc.nat(99), fc.nat(COUNT - 1)), { maxLength: 3 })
      .map((picks) => [...new Set(picks.filter(([luck]) => luck < chance).map(([, module]) => module))]),
    { minLength: COUNT, maxLength: COUNT },
  );
const trees: fc.Arbitrary<Tree> = fc.record({ needs: some(60), pre: some(45), post: some(30) }).map((tree) => ({
  ...tree,
  needs: closed(tree.needs.map((needed, module) => needed.filter((other) => other > module))),
}));

/** What is needed by what is needed, the farthest last, as depmod writes it. */
function closed(needs: readonly (readonly number[])[]): number[][] {
  const all: number[][] = [];
  for (let module = COUNT - 1; module >= 0; module--) {
    const direct = needs[module] ?? [];
    all[module] = [...new Set(direct.flatMap((other) => [other, ...(all[other] ?? [])]))].sort();
  }
  return all;
}

/** depmod's index of the lines (libkmod/libkmod-index.c): below the letter m a leaf for each digit. */
function moduleIndexFile(lines: readonly string[]): Buffer {
  const [VALUES, CHILDREN, PREFIX] = [0x40000000, 0x20000000, 0x80000000];
  const header = Buffer.alloc(12);
  header.writeUInt32BE(0xb007f457, 0);
  header.writeUInt32BE(0x00020001, 4);
  let at = header.length;
  const offsets = Buffer.alloc(4 * lines.length);
  const leaves = lines.map((line, row) => {
    const leaf = Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]), Buffer.from(`${line}\0`)]);
    offsets.writeUInt32BE((at | VALUES) >>> 0, row * 4);
    at += leaf.length;
    return leaf;
  });
  header.writeUInt32BE((at | PREFIX | CHILDREN) >>> 0, 8);
  const [first, last] = [0x30, 0x30 + lines.length - 1];
  return Buffer.concat([header, ...leaves, Buffer.from('m\0'), Buffer.from([first, last]), offsets]);
}

function write({ needs, pre, post }: Tree): void {
  const names = (list: readonly number[] | undefined) => (list ?? []).map((module) => `m${module}`).join(' ');
  const paths = (list: readonly number[]) => list.map((module) => ` kernel/m${module}.ko`).join('');
  const lines = needs.map((list, module) => `kernel/m${module}.ko:${paths(list)}`);
  writeFileSync(join(directory, 'modules.dep'), lines.map((line) => `${line}\n`).join(''));
  writeFileSync(join(directory, 'modules.dep.bin'), moduleIndexFile(lines));
  const soft = needs.map((_, module) => `softdep m${module} pre: ${names(pre[module])} post: ${names(post[module])}\n`);
  writeFileSync(join(directory, 'modules.softdep'), soft.join(''));
}

/** What modprobe would load for a module, in its order; one that it names again is loaded by then. */
function askModprobe(module: string): string[] {
  const words = ['-D', '-d', root, '-S', '1.0', '-C', join(root, 'config'), module];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const out = execFileSync('modprobe', words, { encoding: 'utf8', env });
  return [...new Set([...out.matchAll(/^insmod (\S+)/gm)].map(([, path = '']) => moduleNameOfPath(path)))];
}

/** The first module that comes before one it needs. */
function misplaced(names: readonly string[], { needs }: Tree): string | undefined {
  return names.find((name, place) =>
    (needs[Number(name.slice(1))] ?? []).some((needed) => !names.slice(0, place).includes(`m${needed}`)),
  );
}

test('modules of any tree are planned in the order of modprobe, each after all it needs', () => {
  fc.assert(
    fc.property(trees, fc.nat(COUNT - 1), (tree, wanted) => {
      write(tree);
      const index = readModuleIndex(directory, { configPaths: [] });
      const { modules } = planModules([{ name: `m${wanted}`, reason: 'x' }], index);
      const names = modules.map(({ name }) => name);
      const theirs = askModprobe(`m${wanted}`);
      expect(misplaced(names, tree)).toBeUndefined();
      expect(names.toSorted()).toEqual(theirs.toSorted());
      if (misplaced(theirs, tree) === undefined) expect(names).toEqual(theirs);
      for (const [place, { after }] of modules.entries()) {
        for (const name of after) expect(names.indexOf(name)).toBeLessThan(place);
      }
    }),
    { numRuns: 400 },
  );
});

test('modules for several devices and names at once come after what they need, whatever the order', () => {
  fc.assert(
    fc.property(trees, fc.uniqueArray(fc.nat(COUNT - 1), { minLength: 1 }), (tree, wanted) => {
      write(tree);
      const index = readModuleIndex(directory, { configPaths: [] });
      const wants = wanted.map((module) => ({ name: `m${module}`, reason: 'x' }));
      const names = planModules(wants, index).modules.map(({ name }) => name);
      expect(misplaced(names, tree)).toBeUndefined();
      for (const { name } of wants) expect(names).toContain(name);
    }),
    { numRuns: 300 },
  );
});
