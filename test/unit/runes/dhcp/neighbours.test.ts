import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type NeighbourWord, parseNeighbour } from '../../../../src/runes/dhcp/neighbour-word.ts';
import { Neighbours } from '../../../../src/runes/dhcp/neighbours.ts';

const word = (address: string, of: Partial<NeighbourWord> = {}): NeighbourWord => ({
  version: 1,
  address,
  mac: '52:54:00:00:00:01',
  role: 'boot-server',
  mode: 'full',
  image: { name: 'debian', id: 'a'.repeat(64) },
  peers: [`${address}:20070`, '10.86.0.8'],
  machines: [{ mac: '52:54:00:00:00:02', address: '10.86.9.2' }],
  others: [],
  claims: ['52:54:00:*'],
  ...of,
});
const parse = (value: unknown, host = '10.86.0.7') => parseNeighbour(JSON.stringify(value), host);

describe('what a neighbour says', () => {
  test('is taken whole when every part is what it must be', () => {
    expect(parse(word('10.86.0.7'))).toEqual(word('10.86.0.7'));
  });

  test('is refused when it speaks for another address, or a part is something else', () => {
    expect(() => parse(word('10.86.0.8'))).toThrow('says it is elsewhere');
    const bad: Partial<Record<keyof NeighbourWord, unknown>>[] = [
      { version: 2 },
      { mac: 'zz' },
      { role: 'a b' },
      { mode: 'all' },
      { image: { name: '../x', id: 'a'.repeat(64) } },
      { image: { name: 'x', id: 'A' } },
      { peers: ['1.2.3.4:99999'] },
      { peers: Array.from({ length: 9 }, () => '1.2.3.4') },
      { machines: [{ mac: '52:54:00:00:00:02', address: 'x,set:own' }] },
      { machines: {} },
      { claims: ['52:54\n'] },
      { others: ['fe80::1'] },
    ];
    for (const part of bad) expect(() => parse({ ...word('10.86.0.7'), ...part })).toThrow(/neighbour/);
  });

  test('whatever comes is taken or refused, and what is taken can be said again', () => {
    const any = fc.oneof(fc.json(), fc.string());
    fc.assert(
      fc.property(any, (text) => {
        try {
          parseNeighbour(text, '10.86.0.7');
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

/** Machines that answer, by address. */
function wire(said: Record<string, NeighbourWord>) {
  const asked: string[] = [];
  const neighbours = new Neighbours(async (host) => {
    asked.push(host);
    const one = said[host];
    if (one === undefined) throw new Error('nobody');
    return JSON.stringify(one);
  });
  return { asked, neighbours };
}
const NOBODY = new Set<string>();

describe('neighbours', () => {
  test('are found by their mark in DHCP, and count as serving as long as that is heard', async () => {
    const { neighbours } = wire({ '10.86.0.7': word('10.86.0.7') });
    expect(await neighbours.look(NOBODY, 0)).toBe(false);
    neighbours.hear(['10.86.0.7'], 0);
    expect(await neighbours.look(NOBODY, 0)).toBe(true);
    expect(neighbours.candidates(1000)).toEqual([
      { id: '52:54:00:00:00:01', role: 'boot-server', canServe: false, isServing: true },
    ]);
    expect(neighbours.candidates(60_000)[0]?.isServing).toBe(false);
  });

  test('one that only says it serves does not', async () => {
    const { neighbours } = wire({ '10.86.0.7': word('10.86.0.7') });
    neighbours.hint('10.86.0.7', 0);
    await neighbours.look(NOBODY, 0);
    expect(neighbours.words).toHaveLength(1);
    expect(neighbours.candidates(0)[0]?.isServing).toBe(false);
  });

  test('silent once is in doubt, twice is gone', async () => {
    const said: Record<string, NeighbourWord> = { '10.86.0.7': word('10.86.0.7') };
    const { neighbours } = wire(said);
    neighbours.hear(['10.86.0.7'], 0);
    await neighbours.look(NOBODY, 0);
    delete said['10.86.0.7'];
    await neighbours.look(NOBODY, 1);
    expect([neighbours.words.length, neighbours.isInDoubt]).toEqual([1, true]);
    await neighbours.look(NOBODY, 2);
    expect([neighbours.words.length, neighbours.isInDoubt]).toEqual([0, false]);
  });

  test('a machine of the own field is none; an address where nobody answers is asked again only while its mark is heard', async () => {
    const { neighbours, asked } = wire({});
    neighbours.hear(['10.86.0.7', '10.86.0.8'], 0);
    neighbours.hint('10.86.0.9', 0);
    await neighbours.look(new Set(['10.86.0.8']), 0);
    expect(asked.sort()).toEqual(['10.86.0.7', '10.86.0.9']);
    await neighbours.look(NOBODY, 5000);
    expect(asked).toHaveLength(2);
    await neighbours.look(NOBODY, 10_000);
    expect(asked.slice(2)).toEqual(['10.86.0.7']);
  });

  test('they tell of each other', async () => {
    const { neighbours } = wire({
      '10.86.0.7': word('10.86.0.7', { others: ['10.86.0.1', '10.86.0.8'] }),
      '10.86.0.8': word('10.86.0.8'),
    });
    neighbours.hear(['10.86.0.7'], 0);
    await neighbours.look(new Set(['10.86.0.1']), 0);
    await neighbours.look(new Set(['10.86.0.1']), 1500);
    expect(neighbours.words.map(({ address }) => address)).toEqual(['10.86.0.7', '10.86.0.8']);
  });

  test('no more are looked after than a wire has, however many there are', async () => {
    const addresses = Array.from({ length: 200 }, (_, i) => `10.86.1.${i}`);
    const { neighbours, asked } = wire(Object.fromEntries(addresses.map((address) => [address, word(address)])));
    for (const address of addresses) neighbours.hint(address, 0);
    await neighbours.look(NOBODY, 0);
    expect(asked.length).toBeLessThanOrEqual(32);
    expect(neighbours.words.length).toBeLessThanOrEqual(16);
  });
});
