import { expect, test } from 'vitest';
import { isolated } from '../../linux/isolated.ts';

test('a port that the system chooses is free for connections and for datagrams; one that is named is that one', async () => {
  const found = (await isolated('field/ports', ['--net'])) as { opened: [number, number][]; named: string };
  expect(found.named).toBe('EADDRINUSE');
  expect(found.opened).toHaveLength(2);
  for (const [datagrams, connections] of found.opened) {
    expect(datagrams).toBe(connections);
    expect([40_001, 40_003, 40_005]).not.toContain(datagrams);
  }
});
