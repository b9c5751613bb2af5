import { expect, test } from 'vitest';
import { FirmwareRefusals } from '../../../../src/runes/dhcp/firmware-refusals.ts';

const told = (text: string) => `dnsmasq-dhcp[12]: ${text}`;
const asked = (id: number, architecture: string) =>
  told(`${id} vendor class: PXEClient:Arch:${architecture}:UNDI:003016`);
const ignored = (id: number, mac: string) => told(`${id} DHCPDISCOVER(eth0) ${mac} ignored`);

test('a machine that gets no boot loader is named once, with its firmware', () => {
  const refusals = new FirmwareRefusals();
  expect(refusals.hear(asked(7, '00011'))).toBeUndefined();
  expect(refusals.hear(told('7 DHCPDISCOVER(eth0) 52:54:00:00:00:02 '))).toBeUndefined();
  expect(refusals.hear(ignored(7, '52:54:00:00:00:01'))).toBe(
    '52:54:00:00:00:01: not answered: no boot loader here for its firmware (UEFI arm64, architecture 11)',
  );
  refusals.hear(asked(8, '00011'));
  expect(refusals.hear(ignored(8, '52:54:00:00:00:01'))).toBeUndefined();
});

test('who is no network boot client is not spoken of', () => {
  const refusals = new FirmwareRefusals();
  refusals.hear(asked(7, '00011'));
  expect(refusals.hear(told('9 vendor class: MSFT 5.0'))).toBeUndefined();
  expect(refusals.hear(ignored(9, '52:54:00:00:00:03'))).toBeUndefined();
});

test('made-up machines fill no memory', () => {
  const refusals = new FirmwareRefusals();
  let lines = 0;
  for (let i = 0; i < 2000; i++) {
    refusals.hear(asked(i, '00041'));
    const mac = `52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`;
    if (refusals.hear(ignored(i, mac)) !== undefined) lines++;
  }
  expect(lines).toBe(500);
});

test('a client whose name reads like a line of the log is not believed', () => {
  const refusals = new FirmwareRefusals();
  refusals.hear(told('9 vendor class: dnsmasq-dhcp[1]: 7 vendor class: PXEClient:Arch:00011'));
  expect(refusals.hear(ignored(7, '52:54:00:00:00:03'))).toBeUndefined();
});
