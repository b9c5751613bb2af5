import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { readModuleIndex } from '../../../src/hardware/module-directory.ts';
import type { ModuleIndex } from '../../../src/hardware/module-index.ts';
import { kernelModules } from './kernel-tree.ts';
import { openKmod } from './libkmod.ts';

let directory: string;
let index: ModuleIndex;
let kmod: (alias: string) => string[];
let patterns: string[];

beforeAll(() => {
  directory = kernelModules();
  index = readModuleIndex(directory);
  kmod = openKmod(directory);
  const lines = readFileSync(join(directory, 'modules.alias'), 'latin1').split('\n');
  patterns = lines.flatMap((line) => (line.startsWith('alias ') ? [line.split(' ')[1] ?? ''] : []));
});

/** Differences between kmod and us, named by the alias. */
function differences(aliases: Iterable<string>): { alias: string; kmod: string; viver: string }[] {
  const found: { alias: string; kmod: string; viver: string }[] = [];
  for (const alias of aliases) {
    const [theirs, ours] = [kmod(alias).join(' '), index.lookup(alias).join(' ')];
    if (theirs !== ours) found.push({ alias, kmod: theirs, viver: ours });
  }
  return found;
}

/** The same numbers in every run: a difference found once is found again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

const FILLERS = [
  '',
  '0',
  '00000000',
  'FFFFFFFF',
  '0000abcd',
  'sv00001AF4sd00001100bc01sc06i01',
  'in00',
  ':',
  '-x',
  '_',
];

/** An alias a device could have that this pattern is for. */
function deviceFor(pattern: string, random: (below: number) => number): string {
  return pattern.replace(/\*|\?|\[([^\]]*)\]/g, (wild, members: string | undefined) => {
    if (members !== undefined) return members.charAt(random(members.length));
    return wild === '?' ? '01a-'.charAt(random(4)) : (FILLERS[random(FILLERS.length)] ?? '');
  });
}

test('every alias of the kernel, its wildcards filled in three ways, gives the modules kmod gives', () => {
  const random = numbers(2007);
  const aliases = [0, 1, 2].flatMap(() => patterns.map((pattern) => deviceFor(pattern, random)));
  expect(aliases.filter((alias) => index.lookup(alias).length > 0).length).toBeGreaterThan(60_000);
  expect(differences(aliases)).toEqual([]);
});

test('every pattern of the kernel, looked up as it stands, gives the modules kmod gives', () => {
  expect(differences(patterns)).toEqual([]);
});

test('aliases with a character changed, dropped or doubled give the modules kmod gives', () => {
  const random = numbers(1);
  const damaged = patterns.map((pattern) => {
    const alias = deviceFor(pattern, random);
    const at = random(alias.length);
    const insert = ['', '-', '0', '*', '?', '[', ']', alias.charAt(at).repeat(2)][random(8)];
    return alias.slice(0, at) + insert + alias.slice(at + 1);
  });
  expect(differences(damaged)).toEqual([]);
});

test('module names, built-in ones and symbols give the modules kmod gives', () => {
  const names = (file: string) =>
    readFileSync(join(directory, file), 'latin1')
      .split('\n')
      .map((line) => basename(line.split(':')[0] ?? '').replace(/\.ko.*$/, ''))
      .filter((name) => name !== '');
  const symbols = readFileSync(join(directory, 'modules.symbols'), 'latin1').match(/symbol:\S+/g) ?? [];
  expect(differences([...names('modules.dep'), ...names('modules.builtin'), ...symbols])).toEqual([]);
  expect(differences(names('modules.dep').map((name) => name.replaceAll('_', '-')))).toEqual([]);
});

test('built-in aliases that several modules have come in the order of kmod', () => {
  const modinfo = readFileSync(join(directory, 'modules.builtin.modinfo'), 'latin1');
  const aliases = [...modinfo.matchAll(/\.alias=([^\0]+)/g)].map((match) => match[1] ?? '');
  const random = numbers(3);
  expect(aliases.length).toBeGreaterThan(30);
  expect(differences([...aliases, ...aliases.map((alias) => deviceFor(alias, random))])).toEqual([]);
});

test('any text gives what kmod gives', () => {
  const piece = fc.oneof(
    fc.constantFrom('pci:v', 'usb:v', 'acpi', 'of:N', '*', '?', '[', ']', '-', '_', ':', '00001AF4', 'd', '\\', '.'),
    fc.stringMatching(/^[!-~]{0,6}$/),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      expect(differences([pieces.join('')])).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});

test('modprobe -R itself prints the same names in the same order', async () => {
  const run = promisify(execFile);
  const root = dirname(dirname(dirname(directory)));
  const random = numbers(4);
  const sample = Array.from({ length: 200 }, () => deviceFor(patterns[random(patterns.length)] ?? '', random));
  const ask = async (alias: string): Promise<string[]> => {
    const arguments_ = ['-q', '-R', '-d', root, '-S', basename(directory), '--', alias];
    const { stdout } = await run('modprobe', arguments_, {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    }).catch((error: { code?: unknown; stdout?: string }) => {
      if (error.code !== 1) throw error;
      return { stdout: error.stdout ?? '' };
    });
    return stdout.split('\n').filter((line) => line !== '');
  };
  for (let start = 0; start < sample.length; start += 8) {
    const chunk = sample.slice(start, start + 8);
    const answers = await Promise.all(chunk.map(ask));
    expect(answers).toEqual(chunk.map((alias) => [...index.lookup(alias)]));
  }
});
