import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseOffer, type HeardOffer } from '../../../../src/init/source/offer-choice.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

const offer = (node: number, id: string, name: string): HeardOffer => ({
  number: 1,
  node,
  id,
  name,
  sizeBytes: 1 << 20,
  from: `10.0.0.${node}:20070`,
});

test('the only image offered is taken, from all nodes that offer it', () => {
  const choice = chooseOffer([offer(1, A, 'debian'), offer(2, A, 'debian')], undefined, false);
  expect(choice).toEqual({
    kind: 'take',
    image: { name: 'debian', id: A, peers: ['10.0.0.1:20070', '10.0.0.2:20070'] },
    why: 'offered by 2 nodes',
    warnings: [],
  });
});

test('a pin takes exactly that image, under the name of the command line', () => {
  const offers = [offer(1, A, 'debian'), offer(2, B, 'debian')];
  expect(chooseOffer(offers, { name: 'mine', id: B }, true)).toMatchObject({ image: { name: 'mine', id: B } });
  const none = chooseOffer(offers, { name: 'debian', id: 'c'.repeat(64) }, false);
  expect(none).toEqual({
    kind: 'none',
    saw: ['debian@aaaaaaaaaaaa offered by 10.0.0.1:20070', 'debian@bbbbbbbbbbbb offered by 10.0.0.2:20070'],
  });
});

test('a name without a pin takes only images of that name', () => {
  const offers = [offer(1, A, 'debian'), offer(2, B, 'knoppix')];
  expect(chooseOffer(offers, { name: 'knoppix', id: undefined }, false)).toMatchObject({ image: { id: B } });
  expect(chooseOffer(offers, { name: 'other', id: undefined }, false).kind).toBe('none');
});

test('of several images that which most nodes have is taken, and the others are warned of', () => {
  const choice = chooseOffer([offer(1, B, 'debian'), offer(2, A, 'debian'), offer(3, B, 'debian')], undefined, false);
  expect(choice).toMatchObject({ image: { id: B }, warnings: [expect.stringContaining('also offers aaaaaaaaaaaa')] });
});

test('where only signed images boot, an offer without a pin is not taken, and it is said why', () => {
  const choice = chooseOffer([offer(1, A, 'debian')], { name: 'debian', id: undefined }, true);
  expect(choice).toMatchObject({ kind: 'none', saw: [expect.anything(), expect.stringContaining('pinned')] });
});

test('the choice does not hang on the order in which offers come, and its name can be part of a path', () => {
  const any = fc.array(fc.tuple(fc.nat(200), fc.constantFrom(A, B), fc.oneof(fc.constant('debian'), fc.string())), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(any, (rows) => {
      const offers = rows.map(([node, id, name]) => offer(node, id, name));
      const choice = chooseOffer(offers, undefined, false);
      const reversed = chooseOffer(offers.toReversed(), undefined, false);
      if (choice.kind !== 'take' || reversed.kind !== 'take') throw new Error('something is offered');
      expect(choice.image.id).toBe(reversed.image.id);
      expect(choice.image.name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._+~-]*$/);
    }),
  );
});
