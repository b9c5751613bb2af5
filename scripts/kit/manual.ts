/**
 * Writes the manual pages and the completion of the shells, all made of the table of commands.
 * usage: node scripts/kit/manual.ts SHARE      (as /usr/share)
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { COMMANDS } from '../../src/kit/main.ts';
import { completion, type Shell } from '../../src/kit/manual/completion.ts';
import { commandPage, mainPage } from '../../src/kit/manual/man-page.ts';
import { commandWords } from '../../src/kit/manual/usage.ts';
import { sourceDate } from '../../src/kit/source-date.ts';
import { VERSION } from '../../src/runes/version.ts';

const [share] = process.argv.slice(2);
if (share === undefined) throw new Error('usage: manual.ts SHARE');

const put = (path: string, bytes: string | Uint8Array): void => {
  mkdirSync(dirname(join(share, path)), { recursive: true });
  writeFileSync(join(share, path), bytes);
};

const seconds = sourceDate() ?? 0;
const facts = { version: VERSION, date: new Date(seconds * 1000).toISOString().slice(0, 10) };
const packed = (text: string): Uint8Array => gzipSync(text, { level: 9 });
put('man/man1/viver.1.gz', packed(mainPage(COMMANDS, facts)));
for (const command of COMMANDS) put(`man/man1/viver-${command.name}.1.gz`, packed(commandPage(command, facts)));
const words = COMMANDS.map(commandWords);
const places: Readonly<Record<Shell, string>> = {
  bash: 'bash-completion/completions/viver',
  zsh: 'zsh/vendor-completions/_viver',
  fish: 'fish/vendor_completions.d/viver.fish',
};
for (const [shell, place] of Object.entries(places)) put(place, completion(shell as Shell, words));
