import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Candidate, compareCandidates, dhcpModeFor, elect } from '../../../../src/runes/dhcp/election.ts';

const candidate = (id: string, of: Partial<Candidate> = {}): Candidate => ({
  id,
  role: 'node',
  canServe: true,
  isServing: false,
  ...of,
});

describe('who serves', () => {
  test('a machine that is alone does', () => {
    expect(elect(candidate('a'), [])).toEqual({ serve: true, why: 'no other machine is there' });
  });

  test('who serves goes on, whoever comes', () => {
    const server = candidate('z', { isServing: true });
    expect(elect(candidate('a', { role: 'boot-server' }), [server])).toEqual({ serve: false, why: 'z serves' });
    expect(elect(server, [candidate('a', { role: 'boot-server' })]).serve).toBe(true);
  });

  test('when nobody does, a boot server comes before a node, then the smallest id', () => {
    const others = [candidate('b'), candidate('c', { role: 'boot-server' })];
    expect(elect(candidate('a'), others)).toEqual({ serve: false, why: 'nobody serves; c is next' });
    expect(elect(candidate('d', { role: 'boot-server' }), others).serve).toBe(false);
    expect(elect(candidate('a'), [candidate('b')]).serve).toBe(true);
  });

  test('who has no kernel and initrd never does, and nobody waits for it', () => {
    expect(elect(candidate('a', { canServe: false }), []).serve).toBe(false);
    expect(elect(candidate('b'), [candidate('a', { canServe: false })]).serve).toBe(true);
  });

  test('among machines that see each other it ends with exactly one, whoever served before', () => {
    const machine = fc.record({
      role: fc.constantFrom('boot-server', 'node'),
      canServe: fc.boolean(),
      isServing: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(machine, { minLength: 1, maxLength: 8 }), (parts) => {
        let machines = parts.map((part, i) =>
          candidate(`n${i}`, { ...part, isServing: part.isServing && part.canServe }),
        );
        for (let round = 0; round < 4; round++) {
          machines = machines.map((self) => {
            const { serve } = elect(
              self,
              machines.filter((other) => other !== self),
            );
            return { ...self, isServing: serve };
          });
        }
        const serving = machines.filter(({ isServing }) => isServing);
        expect(serving).toHaveLength(machines.some(({ canServe }) => canServe) ? 1 : 0);
      }),
    );
  });

  test('the order is total', () => {
    const some = fc.record({ id: fc.constantFrom('a', 'b', 'c'), role: fc.constantFrom('boot-server', 'node') });
    fc.assert(
      fc.property(some, some, (a, b) => {
        const [left, right] = [candidate(a.id, a), candidate(b.id, b)];
        expect(Math.sign(compareCandidates(left, right))).toBe(-Math.sign(compareCandidates(right, left)) + 0);
      }),
    );
  });
});

describe('how it serves', () => {
  const nothing = { foreign: [], everForeign: false, everOurs: false };

  test('on a network with a DHCP server of its own, beside it', () => {
    expect(dhcpModeFor('lease', { ...nothing, foreign: ['192.168.1.1'], everForeign: true }).mode).toBe('proxy');
    expect(dhcpModeFor('static', { ...nothing, foreign: ['192.168.1.1'], everForeign: true }).mode).toBe('proxy');
  });

  test('a network whose server is silent stays its own', () => {
    expect(dhcpModeFor('lease', { ...nothing, everForeign: true, everOurs: true }).mode).toBe('proxy');
    expect(dhcpModeFor('lease', nothing).mode).toBe('proxy');
  });

  test('where VIVER gave the addresses it goes on giving them', () => {
    expect(dhcpModeFor('chosen', nothing).mode).toBe('full');
    expect(dhcpModeFor('lease', { ...nothing, everOurs: true }).mode).toBe('full');
  });
});

test('of a thousand made up servers four are named', () => {
  const foreign = Array.from({ length: 1000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const { why } = dhcpModeFor('lease', { foreign, everForeign: true, everOurs: false });
  expect(why).toBe('10.1.0.0, 10.1.0.1, 10.1.0.2, 10.1.0.3 and 996 more gives the addresses here');
});
