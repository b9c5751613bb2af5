import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConnectionShares } from '../../../../src/runes/web/connection-shares.ts';

/** What of a socket the shares look at. */
class Connection extends EventEmitter {
  readonly remoteAddress: string;
  isOpen = true;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.isOpen = false;
    this.emit('close');
  }
}

const asSocket = (connection: Connection): Socket => connection as unknown as Socket;

test('when all are taken, who comes takes the oldest of the address that has the most', () => {
  const shares = new ConnectionShares(6);
  const many = Array.from({ length: 4 }, () => new Connection('10.0.0.1'));
  const few = Array.from({ length: 2 }, () => new Connection('10.0.0.2'));
  for (const one of [...many, ...few]) expect(shares.take(asSocket(one))).toBe(true);
  const newcomer = new Connection('10.0.0.3');
  expect(shares.take(asSocket(newcomer))).toBe(true);
  expect(many.map(({ isOpen }) => isOpen)).toEqual([false, true, true, true]);
  expect(few.every(({ isOpen }) => isOpen)).toBe(true);
  // the one with the most gets no more of it
  expect(shares.take(asSocket(new Connection('10.0.0.1')))).toBe(false);
});

test('whoever comes, there are never more, and no address with fewer is kept out by one with more', () => {
  const address = fc.nat(5).map((n) => `10.0.0.${n}`);
  fc.assert(
    fc.property(
      fc.array(fc.record({ address, isGoing: fc.boolean(), which: fc.nat() }), { maxLength: 80 }),
      (steps) => {
        const shares = new ConnectionShares(10);
        let open: Connection[] = [];
        for (const { address: from, isGoing, which } of steps) {
          if (isGoing) open[which % Math.max(1, open.length)]?.destroy();
          const count = (one: string) => open.filter((other) => other.isOpen && other.remoteAddress === one).length;
          const most = Math.max(0, ...open.map(({ remoteAddress }) => count(remoteAddress)));
          const own = count(from);
          const connection = new Connection(from);
          const isTaken = shares.take(asSocket(connection));
          if (own < most) expect(isTaken).toBe(true);
          open = [...open, ...(isTaken ? [connection] : [])].filter(({ isOpen }) => isOpen);
          expect(open.length).toBeLessThanOrEqual(10);
        }
      },
    ),
  );
});
