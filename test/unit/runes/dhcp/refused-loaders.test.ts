import { array, assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { RefusedLoaders } from '../../../../src/runes/dhcp/refused-loaders.ts';

const mac = '52:54:00:00:00:07';
let transaction = 1;
/** What dnsmasq logs of a question that was answered. */
const asked = (architecture: string, user?: string, of = mac): string[] => {
  const id = `dnsmasq-dhcp[7]: ${transaction++}`;
  return [
    `${id} vendor class: PXEClient:Arch:${architecture}:UNDI:003001`,
    ...(user === undefined ? [] : [`${id} user class: ${user}`]),
    `${id} DHCPREQUEST(eth0) 10.86.0.7 ${of}`,
    `${id} DHCPACK(eth0) 10.86.0.7 ${of}`,
  ];
};
const play = (loaders: RefusedLoaders, nowMs: number, lines: readonly string[]): string[] =>
  lines.flatMap((line) => loaders.hear(line, nowMs) ?? []);

test('a UEFI machine that comes back without iPXE gets the signed loader from then on', () => {
  const loaders = new RefusedLoaders();
  expect(play(loaders, 0, asked('00007'))).toEqual([]);
  expect(play(loaders, 2000, asked('00007'))).toEqual([]); // the same question again
  expect(play(loaders, 40_000, asked('00016'))).toEqual([mac]); // its next entry, by HTTP
  expect(play(loaders, 90_000, asked('00007'))).toEqual([]); // once is enough
  expect([...loaders.macs]).toEqual([mac]);
});

test('one that runs iPXE does not, however often it boots; BIOS never does', () => {
  const loaders = new RefusedLoaders();
  for (let boot = 0; boot < 4; boot++) {
    expect(play(loaders, boot * 60_000, asked('00007'))).toEqual([]);
    expect(play(loaders, boot * 60_000 + 9000, asked('00007', 'iPXE'))).toEqual([]);
  }
  for (let boot = 0; boot < 4; boot++)
    expect(play(loaders, boot * 60_000, asked('00000', undefined, '52:54:00:00:00:08'))).toEqual([]);
  expect(loaders.macs.size).toBe(0);
});

test('Secure Boot switched off again, iPXE is seen and it is as before', () => {
  const loaders = new RefusedLoaders();
  play(loaders, 0, asked('00007'));
  play(loaders, 60_000, asked('00007'));
  expect(loaders.macs.has(mac)).toBe(true);
  play(loaders, 70_000, asked('00007', 'iPXE'));
  expect(loaders.macs.has(mac)).toBe(false);
});

test('what else is logged, or made up by a client, says nothing', () => {
  const loaders = new RefusedLoaders();
  assert(property(array(string()), (lines) => lines.every((line) => loaders.hear(line, 0) === undefined)));
  expect(play(loaders, 0, [`dnsmasq-dhcp[7]: 9 client provides name: x DHCPACK(eth0) 10.86.0.7 ${mac}`])).toEqual([]);
});
