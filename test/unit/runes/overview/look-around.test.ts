import { expect, test } from 'vitest';
import { LookAround } from '../../../../src/runes/overview/look-around.ts';
import { checkOverview } from '../../../../src/runes/overview/overview.ts';
import { NoStatusError } from '../../../../src/runes/peers.ts';
import { looker, simulatedPeers } from '../../../field/status/crowd.ts';

const peers = simulatedPeers(['good', 'good']);
const [one, two] = peers;

test('a machine that was up and is silent now is shown with what it said last, and asked ever more seldom', async () => {
  let nowMs = 0;
  let isUp = true;
  let asked = 0;
  const around = new LookAround({
    own: async () => looker(peers),
    nowMs: () => nowMs,
    fetch: async (host) => {
      if (host !== one?.address) return two?.status ?? Promise.reject(new Error('no machine'));
      asked++;
      if (isUp) return one.status;
      throw new NoStatusError(host, 'silent', new Error('no answer within 2 s'));
    },
  });
  const look = async () =>
    checkOverview(JSON.parse(await around.look())).machines.find(({ address }) => address === one?.address);
  expect(await look()).toMatchObject({ state: 'up', status: { hostname: 'pc-1' } });
  isUp = false;
  nowMs = 1000;
  await look();
  nowMs = 30_000;
  expect(await look()).toMatchObject({
    state: 'silent',
    says: 'does not answer (no answer within 2 s), but was up 30 s ago',
    status: { hostname: 'pc-1' },
  });
  asked = 0;
  for (nowMs = 31_000; nowMs < 90_000; nowMs += 1000) await look();
  expect(asked).toBeLessThan(8);
  isUp = true;
  nowMs = 200_000;
  expect(await look()).toMatchObject({ state: 'up', heardSeconds: 0 });
});

test('what a machine says of its address is not believed, and one that left the field is forgotten', async () => {
  let nowMs = 0;
  let field = peers;
  const around = new LookAround({
    own: async () => looker(field),
    nowMs: () => nowMs,
    fetch: async () => ({ ...looker([]), address: '192.0.2.66', hostname: 'liar' }),
  });
  const look = async () =>
    checkOverview(JSON.parse(await around.look())).machines.map(({ address, status }) => [address, status?.address]);
  const first = [one?.address, one?.address];
  expect(await look()).toEqual([['10.86.0.1', '10.86.0.1'], first, [two?.address, two?.address]]);
  field = peers.slice(0, 1);
  nowMs = 1000;
  expect(await look()).toEqual([['10.86.0.1', '10.86.0.1'], first]);
});

test('of more machines than any room holds some are shown, and the others counted', async () => {
  const crowd = Array.from({ length: 5000 }, (_, i) => ({
    ...(one ?? peers[0]),
    address: `127.87.${i >> 8}.${i & 255}`,
  }));
  const asked = new Set<string>();
  const around = new LookAround({
    own: async () => looker(crowd as typeof peers),
    fetch: (host) => {
      asked.add(host);
      return new Promise(() => {});
    },
  });
  const overview = checkOverview(JSON.parse(await around.look()));
  expect([overview.machines.length, overview.more, asked.size]).toEqual([1001, 4000, 200]);
});
