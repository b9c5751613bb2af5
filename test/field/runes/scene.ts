/** What the scenarios share: an image, and what is asked of machines. Importing it lays the wire. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { layWire, type Station } from './lab.ts';

export const work = mkdtempSync(join(tmpdir(), 'runes-'));
process.once('exit', () => rmSync(work, { recursive: true, force: true }));

/** A small squashfs image of random bytes, another one each time, alone in its directory as on a medium. */
export function makeImage(name: string, files: Readonly<Record<string, string>> = {}): string {
  const tree = join(work, name, 'tree');
  const file = join(work, name, `${name}.sqfs`);
  mkdirSync(tree, { recursive: true });
  writeFileSync(join(tree, 'noise'), randomBytes(1 << 20));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  execFileSync('mksquashfs', [tree, file, '-quiet', '-no-progress']);
  return file;
}

export const image = makeImage('small');
layWire();

export const PORT = 20_080;
export const get = (from: Station, url: string) => from.run(`curl -sS -m 10 -o - -w '\\n%{http_code}' '${url}'`).output;
export const codeOf = (from: Station, url: string, ...words: string[]) =>
  from.run(`curl -sS -m 20 -o /dev/null -w '%{http_code}' --path-as-is ${words.join(' ')} '${url}'`).output;
export const statusOf = (from: Station, address: string) =>
  JSON.parse(from.run(`curl -sS -m 10 http://${address}:${PORT}/status.json`).output) as {
    dhcp: { mode: string; why: string };
    refused: Record<string, number>;
    load: { transfers: number };
    plugins: { name: string; state: string }[];
  };

/** What each kind of client hears that asks whatever a DHCP client may ask. */
export async function answersTo(from: Station, ...clients: string[]): Promise<Record<string, string[]>> {
  const program = join(import.meta.dirname, 'dhcp-question.ts');
  const { status, output } = await from.runAside(`${process.execPath} ${program} ${clients.join(' ')}`);
  if (status !== 0) throw new Error(output);
  return JSON.parse(output) as Record<string, string[]>;
}

export const STRANGERS = ['bare', 'windows', 'dhclient', 'udhcpc', 'android'];

/** Plays the scenario that the command line names, and prints what it found as JSON. */
export async function play(scenarios: Readonly<Record<string, () => Promise<unknown>>>): Promise<never> {
  const scenario = scenarios[process.argv[2] ?? ''];
  if (scenario === undefined) throw new Error(`no scenario '${process.argv[2]}'`);
  process.stdout.write(`${JSON.stringify(await scenario())}\n`);
  process.exit(0);
}
