import { expect, test } from 'vitest';
import { Console } from '../../vm/harness/console.ts';

function consoleOf(text: string): Console {
  const console = new Console();
  console.feed(Buffer.from(text), 1);
  return console;
}

test('a prompt counts as long as its line is not ended', () => {
  const console = consoleOf('Debian 12 pc ttyS0\n\npc login: ');
  expect(console.takePrompt(/login: $/)?.text).toBe('pc login: ');
  expect(console.takePrompt(/login: $/)).toBeUndefined();
});

test('a prompt counts although the kernel wrote behind it, whether or not its line is ended', () => {
  const kernel = '[   34.628056] viver runes: role node';
  const ended = consoleOf(`pc login: ${kernel}\n[   35.000001] more\n`);
  expect(ended.takePrompt(/login: $/)?.text).toBe(`pc login: ${kernel}`);
  expect(ended.takePrompt(/login: $/)).toBeUndefined();
  expect(consoleOf(`pc login: ${kernel}`).takePrompt(/login: $/)).toBeDefined();
  expect(consoleOf(`root@pc:~# ${kernel}\n`).takePrompt(/[#$] $/)).toBeDefined();
});

test('what the kernel says by itself is no prompt', () => {
  expect(consoleOf('[   34.628056] login: no\n').takePrompt(/login: $/)).toBeUndefined();
});
