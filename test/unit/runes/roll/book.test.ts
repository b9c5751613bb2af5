import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { parseMinisignKey } from '../../../../src/image/minisign.ts';
import { parseMinisignSecret } from '../../../../src/image/minisign-secret.ts';
import { signRelease } from '../../../../src/image/release.ts';
import { RollBook } from '../../../../src/runes/roll/book.ts';
import { given, heard } from '../../../../src/runes/roll/line.ts';
import { describeRoll, isRollView, viewOf } from '../../../../src/runes/roll/view.ts';
import { temporaryFolder } from '../../image/images.ts';
import { EXPIRES_SECONDS, machineOf, NEW, OLD, released } from './releases.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
execFileSync('minisign', ['-G', '-W', '-p', folder.at('k.pub'), '-s', folder.at('k.sec')], { stdio: 'pipe' });
const secret = parseMinisignSecret(readFileSync(folder.at('k.sec'), 'utf8')).unlock();
const keys = [parseMinisignKey(readFileSync(folder.at('k.pub'), 'utf8'))];

let files = 0;
function bookOf(options: { keys?: typeof keys; file?: string; nowSeconds?: number } = {}) {
  const lines: string[] = [];
  let upMs = 0;
  const file = options.file ?? folder.at(`roll${files++}.json`);
  const book = new RollBook({
    ...{ keys: options.keys ?? [], file, log: (line: string) => void lines.push(line), upMs: () => upMs },
    nowSeconds: () => options.nowSeconds ?? EXPIRES_SECONDS - 1,
  });
  return { book, lines, file, wait: (ms: number) => (upMs += ms) };
}

describe('who may roll out', () => {
  test('without keys root of this machine and its medium, and nobody on the wire', () => {
    const { book } = bookOf();
    expect(() => book.accept(released(1).text, 'wire')).toThrow(
      'without keys no release is taken from another machine',
    );
    expect(book.accept(released(1).text, 'root').isNew).toBe(true);
    expect(book.accept(released(2).text, 'medium').isNew).toBe(true);
  });

  test('with keys who has the secret one, whoever brings it; not even root without', () => {
    const { book } = bookOf({ keys });
    for (const bringer of ['root', 'medium', 'wire'] as const)
      expect(() => book.accept(released(1).text, bringer)).toThrow('the release is not signed');
    expect(book.accept(signRelease(released(1).text, secret), 'wire').isNew).toBe(true);
    expect(book.lines).toHaveLength(1);
  });

  test('nobody with an older version, another text of the same, or one that has expired', () => {
    const { book } = bookOf();
    book.accept(released(7).text, 'root');
    expect(() => book.accept(released(6).text, 'root')).toThrow('class 6 is older than 7, which was seen');
    expect(() => book.accept(released(7, { when: 'now' }).text, 'root')).toThrow('there is another release class 7');
    expect(book.accept(released(7).text, 'root').isNew).toBe(false);
    const late = bookOf({ nowSeconds: EXPIRES_SECONDS });
    expect(() => late.book.accept(released(7).text, 'root')).toThrow('has expired');
  });

  test('no more than sixteen roll-outs are known', () => {
    const { book } = bookOf();
    for (let i = 0; i < 16; i++) book.accept(released(1, { name: `n${i}` }).text, 'root');
    expect(() => book.accept(released(1, { name: 'one-more' }).text, 'root')).toThrow('16 roll-outs are known already');
  });
});

test('over a restart of the plugins it is known who was healthy, who failed, and that it has stopped', () => {
  const { book, file, wait, lines } = bookOf();
  book.accept(released(7).text, 'root');
  const [a, b] = [machineOf(1), machineOf(2)];
  for (const machine of [a, b]) {
    expect(book.choose(machine)[0]?.image).toEqual(NEW);
    book.update((line) => given(line, machine, '10.0.0.7', book.upMs));
  }
  book.update((line) =>
    heard(line, { mac: a.mac, hostname: a.hostname, imageId: NEW.id, health: { state: 'healthy', why: '' } }),
  );
  wait(300_000);
  expect(book.choose(b)[0]?.image).toEqual(OLD);
  expect(lines.join('\n')).toContain('the roll-out of class 7 stops');
  book.save();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = bookOf({ file });
  expect(again.book.choose(a)[0]?.image).toEqual(NEW);
  expect(again.book.choose(b)[0]?.image).toEqual(OLD);
  const view = viewOf(again.book.lines[0] ?? expect.fail('no line'), 0);
  expect(view).toMatchObject({ healthy: 1, booting: 0, failed: [{ mac: b.mac }], isExpired: false, keyId: null });
  expect(isRollView(JSON.parse(JSON.stringify(view)))).toBe(true);
  expect(describeRoll(view)).toMatch(
    /^class 7: class-7@070707070707 for all: 1 healthy, 0 booting, 1 failed; STOPPED: pc-/,
  );
});

test('a file of an earlier life that is none is told, and nothing is known', () => {
  writeFileSync(folder.at('broken.json'), '[{"text": "x"}]');
  const { book, lines } = bookOf({ file: folder.at('broken.json') });
  expect(book.lines).toEqual([]);
  expect(lines.join()).toContain('is of no use');
});

test('of two roll-outs a machine gets the one that is for it, of two that are the higher version', () => {
  const { book } = bookOf();
  const other = { name: 'lab-3', id: '33'.repeat(32) };
  book.accept(released(9, { name: 'lab', image: other, for: [[{ kind: 'role', name: 'lab' }]] }).text, 'root');
  book.accept(released(2).text, 'root');
  expect(book.choose(machineOf(1, 'lab'))[0]?.image).toEqual(other);
  expect(book.choose(machineOf(2, 'node'))[0]?.image).toEqual(NEW);
});
