/** What strangers and members say by real sockets: whatever it is, nodes live on, serve, and let others in. */
import { hash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test, vi } from 'vitest';
import { DatagramPort } from '../../../src/field/edge/datagram-port.ts';
import { FieldNode } from '../../../src/field/node.ts';
import type { FieldNodeOptions } from '../../../src/field/node-options.ts';
import { fieldStatus } from '../../../src/field/status.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';
import { encodeDatagram } from '../../../src/field/wire/datagram.ts';
import { encodeControlFrame, LAST_PIECE } from '../../../src/field/wire/frame.ts';
import { makeRecord, type NodeRecord, STATE_DOWN, STATE_UP } from '../../../src/field/wire/record.ts';
import { summarize, UNKNOWN } from '../../../src/field/wire/summary.ts';
import { createChunkIndex } from '../../../src/image/chunk-index.ts';
import { pause, RawGuest, Stranger, until, within } from './stranger.ts';

const CHUNK = 64;
const COUNT = 12_000;
const HOST = '127.0.0.1';
const content = randomBytes(CHUNK * COUNT);
const chunk = (i: number): Buffer => content.subarray(i * CHUNK, (i + 1) * CHUNK);
const index = createChunkIndex(
  Float64Array.from({ length: COUNT }, (_, i) => (i + 1) * CHUNK),
  Buffer.concat(Array.from({ length: COUNT }, (_, i) => hash('sha256', chunk(i), 'buffer'))),
  { min: 1, avg: CHUNK, max: CHUNK },
);

const nodes: FieldNode[] = [];
const logs: string[] = [];
afterEach(() => {
  for (const node of nodes.splice(0)) node.close();
  logs.length = 0;
  vi.restoreAllMocks();
});

/** A medium that can be pulled out. */
function stick() {
  const state = { isThere: true };
  const read = async (target: Uint8Array, offset: number): Promise<void> => {
    if (!state.isThere) throw new Error('EIO');
    target.set(content.subarray(offset, offset + target.length));
  };
  return { state, medium: { name: 'stick', size: content.length, read } };
}

async function start(options: Partial<FieldNodeOptions> = {}): Promise<FieldNode> {
  const listen = { host: HOST, port: 0 };
  const none = { peers: [], multicast: false, log: (line: string) => void logs.push(line) };
  const node = await FieldNode.start({ id: index.id, name: 'test', listen, keep: 1 << 30, ...none, ...options });
  nodes.push(node);
  return node;
}

function record(node: number, address: string, fields: Partial<NodeRecord> = {}): NodeRecord {
  return makeRecord({ node, life: 1, version: 1, state: STATE_UP, address, summary: UNKNOWN, ...fields });
}

/** A newcomer gets a chunk that it does not have from the field. */
async function newcomerReads(holder: FieldNode): Promise<void> {
  const newcomer = await start({ peers: [holder.address], keep: 0 });
  await within(newcomer.ready(), 10_000, 'the index');
  const at = CHUNK * Math.floor(Math.random() * COUNT);
  const bytes = await within(Promise.resolve(newcomer.source.read(at, CHUNK)), 10_000, 'a read');
  expect(Buffer.compare(bytes, content.subarray(at, at + CHUNK))).toBe(0);
}

/** Bytes that nothing can give back. */
function retained(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const stranger = (node = 7, host = HOST) => Stranger.at(host, index.id, node, COUNT);

test.each([
  ['a port 0', record(5, '10.0.0.1:0')],
  ['a broadcast address', record(5, '255.255.255.255:9')],
  ['a multicast address', record(5, '239.1.2.3:9')],
  ['an address without a link', record(5, '[fe80::1]:9')],
  ['a life at the limit', record(5, '127.9.9.9:9', { life: 2 ** 48 - 1 })],
  ['no life', record(5, '127.9.9.9:9', { life: 0 })],
  ['a version at the limit', record(5, '127.9.9.9:9', { version: Number.MAX_SAFE_INTEGER })],
])('a record with %s is not believed, and ends nobody', async (_, told) => {
  const node = await start({ index, medium: stick().medium });
  using said = await stranger();
  await said.prove(node.address);
  for (let i = 0; i < 20; i++) said.tell(node.address, [told]);
  await pause(50);
  expect(node.machine.gossip.table.get(5)).toBeUndefined();
  await newcomerReads(node);
  expect(logs.filter((line) => /fault of this program/.test(line))).toEqual([]);
});

test('what a member says of itself at the limits of life and version ends nobody', async () => {
  const node = await start({ index, medium: stick().medium });
  const self = node.machine.nodeId;
  using said = await stranger();
  await said.prove(node.address);
  for (const life of [2 ** 43 - 1, 2 ** 43 - 2, 1]) {
    for (const version of [2 ** 32 - 1, 2 ** 32 - 2]) {
      said.tell(node.address, [
        record(self, node.address, { life, version }),
        record(7, said.address, { life, version }),
      ]);
      said.say(node.address, 'notify down', {
        records: [record(self, node.address, { life, version, state: STATE_DOWN })],
      });
    }
  }
  await pause(50);
  await newcomerReads(node);
  expect(logs.filter((line) => /fault of this program/.test(line))).toEqual([]);
});

test('a datagram from a link-local IPv6 address, or from port 0, is let pass', async () => {
  const udp = createSocket('udp4').bind(0, HOST);
  await once(udp, 'listening');
  const seen = { datagrams: 0, rejected: 0 };
  const port = new DatagramPort({ udp, group: undefined }, { host: HOST, port: 0 }, undefined, {
    datagram: () => void seen.datagrams++,
    isRefused: () => false,
    sought: () => {},
    rejected: () => void seen.rejected++,
  });
  const join = encodeDatagram({ kind: 'join', field: index.id.slice(0, 16), sender: 9, chunks: 0 });
  udp.emit('message', Buffer.from(join), { address: 'fe80::1%eth0', port: 20070 });
  udp.emit('message', Buffer.from(join), { address: '127.0.0.2', port: 0 });
  udp.emit('message', Buffer.from(join), { address: '127.0.0.2', port: 1 });
  port.close();
  expect(seen).toEqual({ datagrams: 1, rejected: 2 });
});

test('who has one host send without end is not looked at for ever', async () => {
  const node = await start({ index, medium: stick().medium });
  using said = await stranger(7, '127.0.0.77');
  const join = encodeDatagram({ kind: 'join', field: index.id.slice(0, 16), sender: 9, chunks: 0 });
  // On a busy machine many are lost on the way: it goes on until more have come than may be looked at.
  await until('some are not looked at', () => {
    for (let j = 0; j < 250; j++) said.sendBytes(node.address, join);
    return node.traffic.rejected > 100 * join.length;
  });
  await newcomerReads(node);
});

test('a forged younger node at a member’s address evicts nobody', async () => {
  const node = await start({ index, medium: stick().medium });
  const member = await start({ peers: [node.address], keep: 0 });
  await within(member.ready(), 10_000, 'the index');
  using said = await stranger();
  await said.prove(node.address);
  const address = member.address;
  for (let i = 0; i < 30; i++) {
    said.tell(node.address, [
      record(1000 + i, address, { life: 2 ** 42 }),
      record(member.node, address, { life: 2 ** 42, version: 9, state: STATE_DOWN }),
      record(member.node, '127.0.0.9:9', { life: 2 ** 42 }),
    ]);
    // The same under its name, as if it had moved here, or said goodbye from here.
    using thief = await stranger(member.node);
    await thief.prove(node.address);
    thief.tell(node.address, [record(member.node, thief.address, { life: 2 ** 42, version: 3 + i })]);
    const gone = record(member.node, thief.address, { life: 2 ** 42, version: 4 + i, state: STATE_DOWN });
    thief.say(node.address, 'notify down', { records: [gone] });
    await pause(100);
    expect(node.machine.gossip.table.get(member.node)?.address).toBe(address);
  }
  expect(logs.filter((line) => line.includes(member.node.toString(16)) && /is gone|is lost|left/.test(line))).toEqual(
    [],
  );
  await until('the made up are gone', () =>
    node.machine.gossip.table.rows().every((row) => row.node < 1000 || row.node > 1060),
  );
});

test('a node that starts anew with a clock set back stays', async () => {
  const node = await start({ index, medium: stick().medium });
  const first = await start({ peers: [node.address], keep: 0 });
  await within(first.ready(), 10_000, 'the index');
  const port = Number(first.address.split(':')[1]);
  first.close();
  const before = Date.now() - 86_400_000;
  vi.spyOn(Date, 'now').mockReturnValue(before);
  const again = await start({ peers: [node.address], keep: 0, listen: { host: HOST, port } });
  await within(again.ready(), 10_000, 'the index');
  await until('the old one is gone', () => node.machine.gossip.table.get(first.node) === undefined, 15_000);
  await pause(500);
  expect(node.machine.gossip.table.get(again.node)).toBeDefined();
  expect(logs.filter((line) => line.includes(again.node.toString(16)) && /is gone|is lost/.test(line))).toEqual([]);
});

test('a name is nobody’s: who misbehaves under a member’s name does not have it shut out', async () => {
  const node = await start({ index, medium: stick().medium });
  const member = await start({ peers: [node.address], keep: 0 });
  await within(member.ready(), 10_000, 'the index');
  const port = Number(member.address.split(':')[1]);
  for (let i = 0; i < 10; i++) {
    using guest = await RawGuest.greet(node.address, index.id, member.node, port, '127.0.0.66');
    guest.write(Buffer.from('ffffffffffffffffffff', 'hex'));
    await within(guest.closed, 2000, 'the connection is closed');
  }
  expect(fieldStatus(node, { id: index.id, name: '' }).shutOut.length).toBe(1);
  for (let i = 0; i < 20; i++) {
    const at = CHUNK * Math.floor(Math.random() * COUNT);
    const bytes = await within(Promise.resolve(member.source.read(at, CHUNK)), 5000, 'a read');
    expect(Buffer.compare(bytes, content.subarray(at, at + CHUNK))).toBe(0);
  }
});

test('those that connect and say nothing, greeted or not, block nobody', async () => {
  const node = await start({ index, medium: stick().medium });
  const silent: RawGuest[] = [];
  for (let i = 0; i < 200; i++) silent.push(await RawGuest.connect(node.address, `127.0.${i % 5}.5`));
  for (let i = 0; i < 100; i++) {
    silent.push(await RawGuest.greet(node.address, index.id, 5000 + i, 1 + i, `127.0.${i % 3}.6`));
  }
  await pause(1200);
  await newcomerReads(node);
  for (const guest of silent) guest[Symbol.dispose]();
});

test('ten thousand chunks named again and again cost a moment, and what nobody reads costs nothing', async () => {
  const node = await start({ index, medium: stick().medium });
  const all = { start: 0, end: 4096 };
  const cheap = encodeControlFrame({ kind: 'cancel', ranges: [all] });
  const get = encodeControlFrame({ kind: 'get', choose: false, urgent: false, insist: false, count: 1, ranges: [all] });
  const whole = encodeControlFrame({
    kind: 'get',
    choose: false,
    urgent: false,
    insist: false,
    count: 1,
    ranges: [{ start: 0, end: 2 ** 32 }],
  });
  const subscribe = encodeControlFrame({ kind: 'subscribe' });
  const index1 = encodeControlFrame({ kind: 'get index', piece: LAST_PIECE });
  const before = retained();
  for (const flood of [
    [get, ...Array<Uint8Array>(3000).fill(cheap)],
    Array<Uint8Array>(3000).fill(get),
    [whole],
    Array<Uint8Array>(3000).fill(subscribe),
    Array<Uint8Array>(300).fill(index1),
  ]) {
    using guest = await RawGuest.greet(node.address, index.id, 99, 99, '127.0.0.44');
    guest.socket.pause();
    // Processor time, not the clock: others run beside this.
    const began = process.cpuUsage();
    guest.write(Buffer.concat(flood));
    await pause(300);
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(400);
    expect(retained() - before).toBeLessThan(32 << 20);
  }
  await newcomerReads(node);
});

test('a medium is pulled while thousands of scattered chunks are held: who asks for them is told', async () => {
  const { state, medium } = stick();
  const node = await start({ index, medium });
  for (let i = 0; i < COUNT; i += 2) await node.source.read(i * CHUNK, CHUNK);
  using guest = await RawGuest.greet(node.address, index.id, 99, 99);
  guest.send({ kind: 'subscribe' });
  await pause(50);
  const before = guest.bytesReceived;
  state.isThere = false;
  void Promise.resolve(node.source.read(CHUNK, CHUNK)).catch(() => {});
  await until('the chunks are gone', () => node.machine.data?.held.count === COUNT / 2);
  await until('the guest is told of each', () => guest.bytesReceived - before > COUNT / 2);
  expect(logs.filter((line) => /fault of this program/.test(line))).toEqual([]);
  expect(
    await within(Promise.resolve(node.source.read(0, CHUNK)), 1000, 'a read').then((bytes) => Buffer.from(bytes)),
  ).toEqual(chunk(0));
});

test('a source that sends what nobody asked for is shut out', async () => {
  const sent = { connections: 0 };
  const server = createServer((socket) => {
    sent.connections++;
    socket.on('error', () => {});
    socket.write(randomBytes(100));
  }).listen(0, '127.0.0.88');
  await once(server, 'listening');
  const address = `127.0.0.88:${(server.address() as { port: number }).port}`;
  const node = await start({});
  using said = await stranger();
  await said.prove(node.address);
  const summary = summarize(ChunkSet.full(COUNT));
  for (let i = 0; i < 40; i++) {
    said.tell(node.address, [record(3000 + i, address, { version: 2 + i, summary })]);
    await pause(50);
  }
  // By whatever name it is known, it is one address.
  expect(sent.connections).toBeLessThan(3);
  server.close();
});
