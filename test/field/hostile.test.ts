import { expect, test } from 'vitest';
import { FieldTest, hashOf, holdsAll, until } from './field-harness.ts';
import { Hostility, residentBytes } from './hostility.ts';

/** Mutated messages; the long set sends a million (test/long/field-hostile.test.ts). */
const MESSAGES = Number(process.env.VIVER_HOSTILE_MESSAGES ?? 30_000);

test(`${MESSAGES} hostile messages: nobody ends, nobody honest is shut out, reads go on, a newcomer joins`, async () => {
  await using field = new FieldTest(8);
  const holder = field.holder();
  await holder.ready();
  const whole = field.joiner([holder]);
  const part = field.joiner([holder, whole], ['--keep', '2M']);
  const targets = [holder, whole, part];
  await Promise.all(targets.map((each) => each.ready()));
  await until('one has all', () => holdsAll(whole, field));
  // What a node takes at most when nothing is wrong.
  for (let i = 0; i < 5; i++) {
    for (const each of targets) expect(await hashOf(each)).toBe(field.image.sha256);
  }
  const before = targets.map(residentBytes);
  const hostility = new Hostility(field.image, targets, 12);
  let isOver = false;
  const attack = hostility.run(MESSAGES).finally(() => {
    isOver = true;
  });
  let reads = 0;
  while (!isOver || reads < 2) {
    expect(await hashOf(part, 60)).toBe(field.image.sha256);
    reads++;
  }
  const newcomer = field.joiner([holder]);
  await newcomer.ready();
  expect(await hashOf(newcomer, 60)).toBe(field.image.sha256);
  await attack;
  const ids = new Set<string>();
  for (const each of targets) ids.add((await each.status()).node.id);
  for (const [i, each] of targets.entries()) {
    expect(each.child.exitCode, each.log()).toBeNull();
    expect(each.log()).not.toMatch(/fault of this program/);
    expect(residentBytes(each) - (before[i] ?? 0)).toBeLessThan(64 << 20);
    // Forged news of an honest node put it out of a table until it is heard of again.
    await until(`all honest nodes are known to ${each.host}`, async () => {
      const { node, peers } = await each.status();
      const known = new Set([node.id, ...peers.map(({ id }) => id)]);
      return [...ids].every((id) => known.has(id));
    });
  }
}, 1_800_000);
