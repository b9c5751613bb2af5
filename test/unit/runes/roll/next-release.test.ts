import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRelease, parseRelease, type Release } from '../../../../src/image/release.ts';
import { backRelease, outRelease, tryRelease } from '../../../../src/runes/roll/next-release.ts';
import { EXPIRES_SECONDS, NEW, OLD } from './releases.ts';

const options = { name: 'class', expiresSeconds: EXPIRES_SECONDS, when: 'reboot' as const, running: OLD };
const image = { ...NEW, sizeBytes: 1000 };
const old = { ...OLD, sizeBytes: 900 };
const third = { name: 'class-8', id: '08'.repeat(32), sizeBytes: 1100 };
const host = (pattern: string) => ({ kind: 'host' as const, pattern });
const all = [[{ kind: 'all' as const }]];

test('try, a share, all, and back', () => {
  const one = tryRelease(undefined, image, [host('pc-1')], options);
  expect(one).toMatchObject({ name: 'class', version: 1, image: NEW, for: [[host('pc-1')]], instead: OLD });
  const two = tryRelease(one, image, [host('pc-1'), host('pc-2')], options);
  expect(two).toMatchObject({ version: 2, for: [[host('pc-1')], [host('pc-2')]], instead: OLD });
  const share = { kind: 'share' as const, percent: 10 };
  const part = outRelease(two, image, [share], options);
  // who tries it goes on with it
  expect(part).toMatchObject({ version: 3, for: [[host('pc-1')], [host('pc-2')], [share]], instead: OLD });
  const out = outRelease(part, image, [], options);
  expect(out).toMatchObject({ version: 4, for: all, instead: OLD });
  const back = backRelease(out, old, options);
  expect(back).toMatchObject({ version: 5, image: OLD, for: all, sizeBytes: 900 });
  expect(back.instead).toBeUndefined();
});

describe('when an image is rolled out to all, and the next one is tried', () => {
  const out = outRelease(undefined, image, [], options);

  test('the others boot the one that is rolled out', () => {
    const next = tryRelease(out, third, [host('pc-1')], options);
    expect(next).toMatchObject({ image: { name: 'class-8' }, for: [[host('pc-1')]], instead: NEW });
    expect(outRelease(next, third, [], options)).toMatchObject({ instead: NEW });
  });

  test('the trial of another one does not make one out of the trial before', () => {
    const next = tryRelease(out, third, [host('pc-1')], options);
    const other = tryRelease(next, { ...third, name: 'class-9', id: '09'.repeat(32) }, [host('pc-2')], options);
    expect(other).toMatchObject({ for: [[host('pc-2')]], instead: NEW });
  });
});

test('whatever is asked for, versions grow, the release can be written, and it names another image instead', () => {
  const images = [old, image, third];
  const step = fc.record({
    how: fc.constantFrom('try', 'part', 'all', 'back'),
    which: fc.nat(2),
    host: fc.constantFrom('a', 'b', 'c'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let last: Release | undefined;
      for (const { how, which, host: name } of steps) {
        const asked = images[which] ?? image;
        let next: Release;
        if (how === 'try') next = tryRelease(last, asked, [host(name)], options);
        else if (how === 'part') next = outRelease(last, asked, [{ kind: 'share', percent: 20 }], options);
        else if (how === 'all') next = outRelease(last, asked, [], options);
        else {
          const instead = images.find(({ id }) => id === last?.instead?.id);
          if (last === undefined || instead === undefined) continue;
          next = backRelease(last, instead, options);
        }
        expect(parseRelease(encodeRelease(next)).release).toEqual(next);
        expect(next.version).toBe((last?.version ?? 0) + 1);
        expect(next.instead?.id).not.toBe(next.image.id);
        last = next;
      }
    }),
  );
});
