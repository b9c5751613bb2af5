import { expect, test } from 'vitest';
import { planVerification } from '../../../../src/init/trust/verification.ts';

const PINNED = { name: 'debian', id: 'a'.repeat(64) };
const NAMED = { name: 'debian', id: undefined };
const KEYS = '/etc/viver/keys';

test('what is pinned or must be signed is checked in full unless it is told how, other images are not', () => {
  expect(planVerification({ verify: undefined, image: PINNED }, undefined)).toEqual({ check: 'full', isBinding: true });
  expect(planVerification({ verify: undefined, image: undefined }, KEYS)).toEqual({ check: 'full', isBinding: true });
  expect(planVerification({ verify: 'lazy', image: PINNED }, KEYS)).toEqual({ check: 'lazy', isBinding: true });
  expect(planVerification({ verify: undefined, image: NAMED }, undefined)).toEqual({ check: 'off', isBinding: false });
  expect(planVerification({ verify: 'full', image: NAMED }, undefined)).toEqual({ check: 'full', isBinding: false });
});

test('viver.verify=off never lets an image boot unchecked where signatures are wanted, and it is said', () => {
  for (const image of [PINNED, NAMED, undefined]) {
    const plan = planVerification({ verify: 'off', image }, KEYS);
    expect(plan).toMatchObject({ check: 'full', isBinding: true });
    expect(plan.warning).toMatch(/^viver\.verify=off is refused: \/etc\/viver\/keys wants signed images/);
  }
});

test('viver.verify=off with a pin alone is obeyed, and it is said what is not checked then', () => {
  const plan = planVerification({ verify: 'off', image: PINNED }, undefined);
  expect(plan).toMatchObject({ check: 'off', isBinding: true });
  expect(plan.warning).toMatch(/its bytes are not checked/);
  expect(planVerification({ verify: 'off', image: NAMED }, undefined)).toEqual({ check: 'off', isBinding: false });
});
