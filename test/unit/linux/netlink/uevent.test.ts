import { writeFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NETLINK, openNetlink } from '../../../../src/linux/netlink/netlink-socket.ts';
import { openUevents, parseUevent, type Uevent } from '../../../../src/linux/netlink/uevent.ts';

const lines = (...parts: string[]) => Buffer.from(parts.map((part) => `${part}\0`).join(''));

test('an event has action, path, subsystem, number and all it carries', () => {
  const bytes = lines(
    'add@/devices/pci0000:00/0000:00:04.0',
    'ACTION=add',
    'DEVPATH=/devices/pci0000:00/0000:00:04.0',
    'SUBSYSTEM=pci',
    'PCI_CLASS=20000',
    'MODALIAS=pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00',
    'EMPTY=',
    'EQUALS=a=b',
    'SEQNUM=1047',
  );
  expect(parseUevent(bytes)).toEqual({
    action: 'add',
    devpath: '/devices/pci0000:00/0000:00:04.0',
    subsystem: 'pci',
    sequence: 1047,
    env: expect.objectContaining({
      MODALIAS: 'pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00',
      EMPTY: '',
      EQUALS: 'a=b',
    }),
  });
});

test("udev's broadcasts and incomplete or contradicting events are none", () => {
  const udev = Buffer.concat([Buffer.from('libudev\0\xfe\xed\xca\xfe', 'latin1'), lines('ACTION=add', 'DEVPATH=/x')]);
  expect(parseUevent(udev)).toBeUndefined();
  expect(parseUevent(lines('add@/x', 'ACTION=add', 'DEVPATH=/x', 'SEQNUM=1'))).toBeUndefined();
  expect(parseUevent(lines('add@/x', 'ACTION=add', 'DEVPATH=/x', 'SUBSYSTEM=s', 'SEQNUM=x'))).toBeUndefined();
  expect(parseUevent(lines('add@/y', 'ACTION=add', 'DEVPATH=/x', 'SUBSYSTEM=s', 'SEQNUM=1'))).toBeUndefined();
});

test('any other bytes are no event, and no error', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void expect(parseUevent(bytes)).toBeUndefined()));
  fc.assert(
    fc.property(fc.string(), (text) => void parseUevent(lines(`add@${text}`, 'ACTION=add', `DEVPATH=${text}`))),
  );
});

const NULL_DEVICE = '/sys/devices/virtual/mem/null/uevent';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(2);
}

test('the kernel is heard, every event in order, and not after the end', async () => {
  const events: Uevent[] = [];
  const failures: unknown[] = [];
  const listening = new AbortController();
  openUevents(
    {
      onEvent: (event) => {
        if (event.devpath === '/devices/virtual/mem/null') events.push(event);
      },
      onOverrun: () => failures.push('overrun'),
      onError: (error) => failures.push(error),
    },
    listening.signal,
  );
  // More than the buffer of a socket holds by default, while the event loop does not run.
  for (let i = 0; i < 3000; i++) writeFileSync(NULL_DEVICE, 'change');
  await until(() => events.length >= 3000);
  expect(failures).toEqual([]);
  expect(events[0]).toMatchObject({ action: 'change', subsystem: 'mem', env: { DEVNAME: 'null', MAJOR: '1' } });
  const numbers = events.map(({ sequence }) => sequence);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));

  listening.abort();
  const count = events.length;
  writeFileSync(NULL_DEVICE, 'change');
  await setImmediate();
  await setImmediate();
  expect(events).toHaveLength(count);
});

test('lost events are told, and later ones are heard again', async () => {
  let overruns = 0;
  let heard = 0;
  const errors: Error[] = [];
  using socket = openNetlink({
    protocol: NETLINK.KOBJECT_UEVENT,
    groups: 1,
    receiveBufferBytes: 4096,
    onMessage: () => heard++,
    onOverrun: () => overruns++,
    onError: (error) => errors.push(error),
  });
  for (let i = 0; i < 100; i++) writeFileSync(NULL_DEVICE, 'change');
  await until(() => overruns > 0 && heard > 0);
  const before = heard;
  writeFileSync(NULL_DEVICE, 'change');
  await until(() => heard > before);
  expect(errors).toEqual([]);
  expect(socket.port).toBeGreaterThan(0);
});
