import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseOffer, type HeardOffer } from '../../../../src/init/source/offer-choice.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const NONE: ReadonlyMap<string, string> = new Map();

const offer = (node: number, id: string, name: string): HeardOffer => ({
  number: 1,
  node,
  id,
  name,
  sizeBytes: 1 << 20,
  from: `10.0.0.${node}:20070`,
});

test('the only image offered is taken, from all nodes that offer it', () => {
  const choice = chooseOffer([offer(1, A, 'debian'), offer(2, A, 'debian')], undefined, NONE);
  expect(choice).toEqual({
    kind: 'take',
    image: { name: 'debian', id: A, peers: ['10.0.0.1:20070', '10.0.0.2:20070'] },
    why: 'offered by 2 nodes',
    warnings: [],
  });
});

test('a pin takes exactly that image, under the name of the command line', () => {
  const offers = [offer(1, A, 'debian'), offer(2, B, 'debian')];
  expect(chooseOffer(offers, { name: 'mine', id: B }, NONE)).toMatchObject({ image: { name: 'mine', id: B } });
  const none = chooseOffer(offers, { name: 'debian', id: 'c'.repeat(64) }, NONE);
  expect(none).toEqual({
    kind: 'none',
    saw: ['debian@aaaaaaaaaaaa offered by 10.0.0.1:20070', 'debian@bbbbbbbbbbbb offered by 10.0.0.2:20070'],
  });
});

test('a name without a pin takes only images of that name', () => {
  const offers = [offer(1, A, 'debian'), offer(2, B, 'knoppix')];
  expect(chooseOffer(offers, { name: 'knoppix', id: undefined }, NONE)).toMatchObject({ image: { id: B } });
  expect(chooseOffer(offers, { name: 'other', id: undefined }, NONE).kind).toBe('none');
});

test('of several images that which most nodes have is taken, and the others are warned of', () => {
  const choice = chooseOffer([offer(1, B, 'debian'), offer(2, A, 'debian'), offer(3, B, 'debian')], undefined, NONE);
  expect(choice).toMatchObject({ image: { id: B }, warnings: [expect.stringContaining('also offers aaaaaaaaaaaa')] });
});

test('an image that was looked at and may not boot is passed over for the next one, and it is said why', () => {
  const refused = new Map([[A, 'signed by key 1, which is not among the known ones']]);
  const offers = [offer(1, A, 'debian'), offer(2, A, 'debian'), offer(3, B, 'debian')];
  expect(chooseOffer(offers, undefined, refused)).toMatchObject({ kind: 'take', image: { id: B } });
  const choice = chooseOffer(offers.slice(0, 1), { name: 'debian', id: undefined }, refused);
  expect(choice).toEqual({
    kind: 'none',
    saw: ['debian@aaaaaaaaaaaa offered by 10.0.0.1:20070, refused: signed by key 1, which is not among the known ones'],
  });
});

test('the choice does not hang on the order in which offers come, and its name can be part of a path', () => {
  const any = fc.array(fc.tuple(fc.nat(200), fc.constantFrom(A, B), fc.oneof(fc.constant('debian'), fc.string())), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(any, (rows) => {
      const offers = rows.map(([node, id, name]) => offer(node, id, name));
      const choice = chooseOffer(offers, undefined, NONE);
      const reversed = chooseOffer(offers.toReversed(), undefined, NONE);
      if (choice.kind !== 'take' || reversed.kind !== 'take') throw new Error('something is offered');
      expect(choice.image.id).toBe(reversed.image.id);
      expect(choice.image.name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._+~-]*$/);
    }),
  );
});
