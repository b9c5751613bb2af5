import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  choose,
  follow,
  given,
  HEALTHY_WITHIN_MS,
  heard,
  leftFor,
  overdue,
  type RollLine,
} from '../../../../src/runes/roll/line.ts';
import type { RollMachine } from '../../../../src/runes/roll/whom.ts';
import { machineOf, NEW, OLD, released } from './releases.ts';

const A = machineOf(1);
const B = machineOf(2);
const start = follow(undefined, released(7));
const MINUTE = 60_000;

/** It asks for its boot script, and loads the first image that it is to have. */
function boot(line: RollLine, machine: RollMachine, nowMs: number): { line: RollLine; image: string; news: string[] } {
  const chosen = choose(line, machine, nowMs);
  const [first] = chosen.wanted;
  const next = first?.release === undefined ? chosen.line : given(chosen.line, machine, `10.0.0.${nowMs % 200}`, nowMs);
  return { line: next, image: first?.image.name ?? 'own', news: [...chosen.news] };
}

const report = (machine: RollMachine, state: 'starting' | 'healthy' | 'failed', imageId = NEW.id) => ({
  ...{ mac: machine.mac, hostname: machine.hostname, imageId },
  health: { state, why: state === 'failed' ? 'no network' : '' },
});

describe('a machine', () => {
  test('that becomes healthy gets the new image again whenever it is started', () => {
    const first = boot(start, A, 0);
    const { line, news } = heard(first.line, report(A, 'healthy'));
    expect([first.image, news]).toEqual(['class-7', [`${A.hostname} (${A.mac}) is healthy with class 7`]]);
    expect(boot(line, A, 10 * MINUTE)).toMatchObject({ image: 'class-7', news: [] });
  });

  test('that asks again without having been healthy gets the old image, is named, and the roll-out stops', () => {
    const first = boot(start, A, 0);
    const second = boot(first.line, A, 5 * MINUTE);
    expect(second.image).toBe('class-6');
    expect(second.news).toEqual([
      `${A.hostname} (${A.mac}) failed with class 7: started anew after 300 s without having been healthy; it gets the image that it had before`,
      'the roll-out of class 7 stops',
    ]);
    expect(second.line.stopped).toContain(A.mac);
    expect(boot(second.line, B, 6 * MINUTE).image).toBe('class-6');
    expect(boot(second.line, A, 60 * MINUTE).image).toBe('class-6');
  });

  test('whose loader asks again at once has not started a kernel; after six times it cannot load it', () => {
    let line = boot(start, A, 0).line;
    for (let i = 1; i <= 5; i++) {
      const again = boot(line, A, i * 5000);
      expect(again.image, String(i)).toBe('class-7');
      line = again.line;
    }
    const last = boot(line, A, 30_000);
    expect([last.image, last.line.stopped]).toEqual([
      'class-6',
      `${A.hostname} (${A.mac}) could not load it in 6 tries`,
    ]);
  });

  test('of which nothing good is heard has failed after ten minutes, also when it asks no more', () => {
    const { line } = boot(start, A, 0);
    expect(overdue(line, HEALTHY_WITHIN_MS - 1).line).toBe(line);
    const late = overdue(line, HEALTHY_WITHIN_MS);
    expect(late.line.stopped).toContain('was not healthy within 10 minutes');
  });

  test('that says itself that it failed stops the roll-out; what another image or machine says counts for nothing', () => {
    const { line } = boot(start, A, 0);
    expect(heard(line, report(B, 'healthy')).line).toBe(line);
    expect(heard(line, report(A, 'healthy', OLD.id)).line).toBe(line);
    expect(heard(line, report(A, 'failed')).line.stopped).toBe(`${A.hostname} (${A.mac}) no network`);
  });

  test('that was healthy may be switched off in two boots in a row, and not in three', () => {
    let { line } = heard(boot(start, A, 0).line, report(A, 'healthy'));
    const images: string[] = [];
    for (let i = 1; i <= 4; i++) {
      const next = boot(line, A, i * 10 * MINUTE);
      images.push(next.image);
      line = next.line;
    }
    expect(images).toEqual(['class-7', 'class-7', 'class-7', 'class-6']);
  });

  test('that a person sends to its own disk has not failed', () => {
    const { line } = boot(start, A, 0);
    const address = line.attempts.get(A.mac)?.address ?? '';
    expect(boot(leftFor(line, address), A, MINUTE)).toMatchObject({ image: 'class-7', news: [] });
    expect(leftFor(line, '10.9.9.9')).toBe(line);
  });

  test('that was healthy and is sent to its own disk once is still one that was healthy', () => {
    const healthy = heard(boot(start, A, 0).line, report(A, 'healthy')).line;
    const again = boot(healthy, A, 10 * MINUTE).line;
    const left = leftFor(again, again.attempts.get(A.mac)?.address ?? '');
    const stopped = boot(boot(left, B, 20 * MINUTE).line, B, 25 * MINUTE).line;
    expect([stopped.stopped !== undefined, boot(stopped, A, 30 * MINUTE).image]).toEqual([true, 'class-7']);
  });

  test('that the release is not for boots what the release names instead, or what the server has', () => {
    const one = follow(undefined, released(7, { for: [[{ kind: 'mac', pattern: B.mac }]] }));
    expect([boot(one, A, 0).image, boot(one, B, 0).image]).toEqual(['class-6', 'class-7']);
    const { instead, ...alone } = released(7, { for: [[{ kind: 'mac', pattern: B.mac }]] }).release;
    const without = { ...one, read: { ...one.read, release: alone } };
    expect([instead, boot(without, A, 0).image]).toEqual([OLD, 'own']);
  });
});

describe('a newer release', () => {
  test('of the same image goes on: who is healthy stays so, who failed gets another chance', () => {
    const healthy = heard(boot(start, A, 0).line, report(A, 'healthy')).line;
    const failed = boot(boot(healthy, B, 0).line, B, 5 * MINUTE).line;
    const next = follow(failed, released(8));
    expect([next.stopped, [...next.attempts.keys()]]).toEqual([undefined, [A.mac]]);
    expect(boot(next, B, 6 * MINUTE).image).toBe('class-7');
  });

  test('of the same image made while a machine boots it: that one is heard of, well or ill', () => {
    const next = follow(boot(start, A, 0).line, released(8));
    expect(heard(next, report(A, 'healthy')).news).toEqual([`${A.hostname} (${A.mac}) is healthy with class 8`]);
    expect(boot(next, A, 5 * MINUTE)).toMatchObject({ image: 'class-6', line: { stopped: expect.any(String) } });
  });

  test('of the old image takes all back', () => {
    const failed = boot(boot(start, A, 0).line, A, 5 * MINUTE).line;
    const back = follow(failed, released(8, { image: OLD, instead: NEW }));
    expect([back.attempts.size, boot(back, A, 0).image, boot(back, B, 0).image]).toEqual([0, 'class-6', 'class-6']);
  });
});

type Event =
  | { readonly kind: 'boot' | 'healthy' | 'broken' | 'left'; readonly machine: number }
  | { readonly kind: 'wait'; readonly seconds: number };

test('whatever happens, nobody new gets an image with which one machine failed, and nobody loses one that works', () => {
  const machine = fc.integer({ min: 0, max: 5 });
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.record({
      kind: fc.constantFrom('boot' as const, 'healthy' as const, 'broken' as const, 'left' as const),
      machine,
    }),
    fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 16, max: 900 }) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let [line, nowMs] = [start, 0];
      for (const one of events) {
        if (one.kind === 'wait') {
          nowMs += one.seconds * 1000;
          line = overdue(line, nowMs).line;
          continue;
        }
        const who = machineOf(one.machine);
        const before = line;
        if (one.kind === 'boot') {
          const booted = boot(line, who, nowMs);
          line = booted.line;
          const wasProven = before.attempts.get(who.mac)?.isProven === true;
          if (booted.image === 'class-7') expect(before.stopped === undefined || wasProven).toBe(true);
          if (before.attempts.get(who.mac)?.state === 'healthy') expect(booted.image).toBe('class-7');
        } else if (one.kind === 'left') line = leftFor(line, before.attempts.get(who.mac)?.address ?? 'none');
        else line = heard(line, report(who, one.kind === 'healthy' ? 'healthy' : 'failed')).line;
        // what has stopped goes on by a new release only
        if (before.stopped !== undefined) expect(line.stopped).toBe(before.stopped);
        const failed = [...line.attempts.values()].some(({ state }) => state === 'failed');
        if (failed) expect(line.stopped).toBeDefined();
      }
    }),
  );
});

test('however many machines ask, no more than 4,096 are remembered', () => {
  let line = start;
  for (let i = 0; i < 4200; i++) line = given(line, machineOf(i), '10.0.0.1', i);
  expect(line.attempts.size).toBe(4096);
  expect(line.attempts.has(machineOf(4199).mac)).toBe(true);
}, 60_000);
