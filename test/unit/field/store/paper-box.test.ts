import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PaperBox } from '../../../../src/field/store/paper-box.ts';
import { NO_PAPERS, PAPERS_LIMIT } from '../../../../src/field/wire/papers.ts';
import { trustIn } from '../../../../src/image/signature.ts';
import { anyIndex, makeSigner } from '../signing.ts';

const signer = makeSigner();
const index = anyIndex();
const good = signer.sign(index);
const trust = trustIn([signer.known]);

test('a signature by a known key proves its index and no other, and is shown to others from then on', () => {
  const box = new PaperBox(NO_PAPERS, { trust });
  expect([box.isPromising, box.admits(index)]).toEqual([false, false]);
  box.take({ signatures: [good], releases: [] });
  expect(box.isPromising).toBe(true);
  expect(box.papers.signatures).toEqual([]);
  expect(box.admits(index)).toBe(true);
  expect(box.papers.signatures).toEqual([new Uint8Array(good)]);
  const other = new PaperBox(NO_PAPERS, { trust });
  other.take({ signatures: [good], releases: [] });
  expect([other.admits(anyIndex()), other.isPromising, other.why]).toEqual([
    false,
    false,
    expect.stringContaining('does not fit'),
  ]);
});

test('a key that borrows the number of a known one is not taken for it, before the index is asked for', () => {
  const forger = makeSigner(signer.known.id);
  const box = new PaperBox(NO_PAPERS, { trust });
  box.take({ signatures: [forger.sign(index), makeSigner().sign(index)], releases: [] });
  expect([box.isPromising, box.why]).toEqual([false, expect.stringContaining('not among the known ones')]);
});

test('whatever is shown, with keys only what is good by them is kept, and a good one always gets through', () => {
  const changed = fc
    .tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }))
    .map(([at, by]) => good.map((byte, i) => (i === at ? byte ^ by : byte)));
  const anyPaper = fc.oneof(fc.uint8Array({ maxLength: 400 }), changed, fc.constant(new Uint8Array(20_000)));
  fc.assert(
    fc.property(fc.array(anyPaper, { maxLength: 30 }), fc.boolean(), (papers, isEarly) => {
      const box = new PaperBox(NO_PAPERS, { trust });
      if (isEarly) box.admits(index);
      box.take({ signatures: papers, releases: [] });
      box.admits(index);
      box.take({ signatures: [good], releases: [] });
      expect(box.admits(index)).toBe(true);
      for (const each of box.papers.signatures) trust.proves(each, index);
    }),
    { numRuns: 200 },
  );
});

test('without keys the first few are kept as they are, those of this machine before all others', () => {
  const paper = (number: number): Uint8Array => Uint8Array.of(number);
  const box = new PaperBox({ signatures: [good], releases: [paper(99)] }, {});
  expect(box.isPromising).toBe(true);
  for (let i = 0; i < 20; i++) box.take({ signatures: [paper(i)], releases: [paper(i), new Uint8Array(0)] });
  const { signatures, releases } = box.papers;
  expect([signatures.length, releases.length]).toEqual([PAPERS_LIMIT, PAPERS_LIMIT]);
  expect([signatures[0], releases[0]]).toEqual([good, paper(99)]);
});

test('who can judge releases has the one it took last', () => {
  const box = new PaperBox(NO_PAPERS, { takesRelease: ([version = 0]) => version > 3 });
  for (const version of [1, 5, 2, 7]) box.take({ signatures: [], releases: [Uint8Array.of(version)] });
  expect(box.papers.releases).toEqual([Uint8Array.of(7)]);
});
