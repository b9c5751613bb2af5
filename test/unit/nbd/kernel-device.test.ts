import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AttributeReader, attribute, encodeAttributes } from '../../../src/linux/netlink/netlink-message.ts';
import type { BlockSource } from '../../../src/nbd/block-source.ts';
import { type ConnectionEnds, KernelDevice } from '../../../src/nbd/kernel-device.ts';
import {
  type ConnectRequest,
  connectAttributes,
  type NbdDriver,
  reconfigureAttributes,
  statusOf,
} from '../../../src/nbd/kernel-driver.ts';
import { COMMAND } from '../../../src/nbd/protocol.ts';
import { requestBytes } from './raw-client.ts';

/** The kernel: devices whose socket's far end the test holds. */
interface FakeKernel extends NbdDriver {
  readonly calls: string[];
  readonly devices: Map<number, { backend: string; socket: Socket; sizeBytes: number }>;
  failures: number;
}

const ends = new Map<number, Socket>();
const logged: string[] = [];
let listener: ReturnType<typeof createServer>;

beforeEach(async () => {
  listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
});

afterEach(() => {
  listener.close();
  for (const socket of ends.values()) socket.destroy();
  ends.clear();
  logged.length = 0;
});

/** Connected ends, the kernel's under a number of our own. Both are made beforehand, since makeEnds cannot wait. */
async function preparedEnds(count: number): Promise<() => ConnectionEnds> {
  const prepared: ConnectionEnds[] = [];
  for (let i = 0; i < count; i++) {
    const accepted = once(listener, 'connection') as Promise<[Socket]>;
    const kernel = connect({ port: (listener.address() as { port: number }).port, host: '127.0.0.1' });
    kernel.on('error', () => {});
    const [socket] = await accepted;
    const kernelFd = 1000 + ends.size;
    ends.set(kernelFd, kernel);
    prepared.push({ kernelFd, socket, release: () => {} });
  }
  return () => {
    const next = prepared.shift();
    if (next === undefined) throw new Error('no more ends');
    return next;
  };
}

function fakeKernel(): FakeKernel {
  const devices: FakeKernel['devices'] = new Map();
  const calls: string[] = [];
  const socketOf = (fd: number): Socket => {
    const socket = ends.get(fd);
    if (socket === undefined) throw new Error('bad descriptor');
    return socket;
  };
  const kernel: FakeKernel = {
    calls,
    devices,
    failures: 0,
    async connect(request: ConnectRequest) {
      let index = request.index ?? 0;
      while (request.index === undefined && devices.has(index)) index++;
      calls.push(`connect ${index}`);
      if (devices.has(index)) throw new Error('EBUSY');
      devices.set(index, {
        backend: request.identifier,
        socket: socketOf(request.fd),
        sizeBytes: request.sizeBytes,
      });
      return index;
    },
    async reconfigure(index, identifier, fd) {
      calls.push(`reconfigure ${index}`);
      if (kernel.failures-- > 0) throw new Error('EINVAL');
      const device = devices.get(index);
      if (device?.backend !== identifier) throw new Error('EINVAL');
      device.socket = socketOf(fd);
    },
    async disconnect(index) {
      calls.push(`disconnect ${index}`);
      devices.get(index)?.socket.end(requestBytes({ command: COMMAND.DISC }));
      devices.delete(index);
    },
    status: async () => [...devices.keys()].map((index) => ({ index, connected: true })),
    backendOf: (index) => devices.get(index)?.backend,
    setQueue: (index, values) => void calls.push(`queue ${index} ${Object.values(values)}`),
    close: () => void calls.push('close'),
  };
  return kernel;
}

const source: BlockSource = { size: 5000, read: (offset, length) => Buffer.alloc(length, offset % 256) };

async function attach(kernel: FakeKernel, count = 1, index?: number): Promise<KernelDevice> {
  return KernelDevice.attach({
    driver: kernel,
    source,
    identifier: 'image',
    index,
    log: (line) => void logged.push(line),
    makeEnds: await preparedEnds(count),
  });
}

/** Reads through the device as the kernel does. */
async function read(kernel: FakeKernel, index: number, offset: number, length: number): Promise<Buffer> {
  const socket = kernel.devices.get(index)?.socket;
  if (socket === undefined) throw new Error('no such device');
  let reply = Buffer.alloc(0);
  socket.write(requestBytes({ offset, length }));
  while (reply.length < 16 + length) reply = Buffer.concat([reply, (await once(socket, 'data'))[0] as Buffer]);
  expect(reply.readUInt32BE(4)).toBe(0);
  return reply.subarray(16);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test('a device is the first free one, of whole blocks, zeroes behind the last byte', async () => {
  const kernel = fakeKernel();
  kernel.devices.set(0, { backend: 'other', socket: undefined as never, sizeBytes: 1 });
  const device = await attach(kernel);
  expect([device.path, device.takenOver, kernel.devices.get(1)?.sizeBytes]).toEqual(['/dev/nbd1', false, 8192]);
  expect(kernel.calls).toEqual(['connect 1', 'queue 1 3000,1024']);
  expect(await read(kernel, 1, 4096, 4096)).toEqual(Buffer.concat([Buffer.alloc(904), Buffer.alloc(3192)]));
  expect((await read(kernel, 1, 1, 10))[0]).toBe(1);
  await device.detach();
});

test('a device whose daemon died is taken over, not connected anew', async () => {
  const kernel = fakeKernel();
  const dead = await attach(kernel, 1, 3);
  await dead.abandon();
  const device = await attach(kernel);
  expect([device.index, device.takenOver]).toEqual([3, true]);
  expect(kernel.calls).toEqual(['connect 3', 'queue 3 3000,1024', 'close', 'reconfigure 3']);
  expect((await read(kernel, 3, 7, 10))[0]).toBe(7);
  await device.detach();
});

test('a device that was asked for by number and serves something else is refused', async () => {
  const kernel = fakeKernel();
  kernel.devices.set(2, { backend: 'other', socket: undefined as never, sizeBytes: 1 });
  await expect(attach(kernel, 1, 2)).rejects.toThrow('EBUSY');
});

test('when the kernel lets go of its socket it gets another, however often it refuses', async () => {
  const kernel = fakeKernel();
  const device = await attach(kernel, 4);
  const first = kernel.devices.get(0)?.socket;
  kernel.failures = 2;
  first?.destroy();
  await until(() => kernel.devices.get(0)?.socket !== first);
  expect((await read(kernel, 0, 9, 10))[0]).toBe(9);
  expect(logged).toEqual([
    '/dev/nbd0: no new connection yet: EINVAL',
    '/dev/nbd0: no new connection yet: EINVAL',
    '/dev/nbd0: the kernel let go of its connection and has a new one',
  ]);
  await device.detach();
  expect(await device.ended).toBe('detached');
});

test('a device that someone else disconnects has ended', async () => {
  const kernel = fakeKernel();
  const device = await attach(kernel, 2);
  await kernel.disconnect(0);
  expect(await device.ended).toBe('disconnected by someone else');
  expect(kernel.calls.at(-1)).toBe('close');
});

test('a command’s attributes are those of nbd-netlink.h', () => {
  const hex = (attributes: Parameters<typeof encodeAttributes>[0]): string =>
    Buffer.from(encodeAttributes(attributes)).toString('hex');
  const socket = '100007800c0001800800010007000000';
  expect(hex(reconfigureAttributes(5, 'id', 7))).toBe(`0800010005000000${'07000a0069640000'}${socket}`);
  const request = {
    index: undefined,
    sizeBytes: 8192,
    blockBytes: 4096,
    flags: 0x107,
    identifier: 'id',
    deadConnectionSeconds: 9,
    fd: 7,
  };
  expect(hex(connectAttributes(request))).toBe(
    [
      '0c0002000020000000000000',
      '0c0003000010000000000000',
      '0c0004000000000000000000',
      '0c0005000701000000000000',
      '0c0006000000000000000000',
      '0c0008000900000000000000',
      '07000a0069640000',
      socket,
    ].join(''),
  );
  expect(hex(connectAttributes({ ...request, index: 1 })).slice(0, 16)).toBe('0800010001000000');
});

test('a status lists every device', () => {
  const item = (index: number, connected: number) =>
    attribute.nested(1, [attribute.u32(1, index), attribute.u8(2, connected)]);
  const bytes = encodeAttributes([attribute.nested(9, [item(0, 1), item(1, 0)])]);
  expect(statusOf(new AttributeReader(bytes))).toEqual([
    { index: 0, connected: true },
    { index: 1, connected: false },
  ]);
});
