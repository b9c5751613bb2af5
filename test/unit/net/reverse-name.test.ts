import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isNetworkName } from '../../../src/net/host-name.ts';
import { reverseName } from '../../../src/net/reverse-name.ts';

const open = async (): Promise<Socket> => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
};
const placeOf = (socket: Socket): string => `127.0.0.1:${socket.address().port}`;

/** What a name server (RFC 1035) says. */
interface Zone {
  /** Every address is called so; each label as bytes. */
  readonly names: readonly string[];
  /** Every name has these addresses. */
  readonly addresses?: readonly string[];
}

const A = 1;
const PTR = 12;

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

async function serverOf({ names, addresses = ['10.0.0.5'] }: Zone): Promise<Socket> {
  const socket = await open();
  socket.on('message', (question, from) => {
    const end = question.indexOf(0, 12) + 5;
    const type = question.readUInt16BE(end - 4);
    const rows = type === PTR ? names.map(encodeName) : addresses.map((one) => Buffer.from(one.split('.').map(Number)));
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(rows.length, 6);
    head.writeUInt16BE(0, 10);
    const answers = rows.map((data) => {
      const row = Buffer.from('c00c000000010000003c0000', 'hex');
      row.writeUInt16BE(type === PTR ? PTR : A, 2);
      row.writeUInt16BE(data.length, 10);
      return Buffer.concat([row, data]);
    });
    socket.send(Buffer.concat([head, question.subarray(12, end), ...answers]), from.port, from.address);
  });
  return socket;
}

test.each([
  [['pc7.school.test'], 'pc7.school.test'],
  [['_srv.test', 'pc7.test'], 'pc7.test'],
  [['localhost', 'pc7.test'], 'pc7.test'],
  [['localhost.localdomain'], undefined],
  [['\x1b[2J\n'], undefined],
  [[`${'a'.repeat(60)}.test`], undefined],
])('of the names %j the first that can be a machine’s is taken', async (names, expected) => {
  const server = await serverOf({ names });
  try {
    expect(await reverseName('10.0.0.5', [placeOf(server)])).toBe(expected);
  } finally {
    server.close();
  }
});

test('a name is believed only where it leads back to the address: pools have one name for all', async () => {
  for (const [addresses, expected] of [
    [[], undefined],
    [['10.0.0.1'], undefined],
    [['10.0.0.1', '10.0.0.5'], 'pool.school.test'],
  ] as const) {
    const server = await serverOf({ names: ['pool.school.test'], addresses });
    try {
      expect(await reverseName('10.0.0.5', [placeOf(server)])).toBe(expected);
    } finally {
      server.close();
    }
  }
});

/** What a liar or a broken server makes of a question; the same question's number, unless it is changed. */
const HOSTILE: Readonly<Record<string, (question: Buffer) => Buffer>> = {
  'the name points at itself': (q) => answerTo(q, 1, Buffer.from('c00c000c00010000003c0002c028', 'hex')),
  'the name points behind the message': (q) => answerTo(q, 1, Buffer.from('c00c000c00010000003c0002ffff', 'hex')),
  'more data than there is': (q) => answerTo(q, 1, Buffer.from('c00c000c00010000003cffff03706337', 'hex')),
  'more answers than there are': (q) => answerTo(q, 65_535, Buffer.from('c00c000c00010000003c000503706337', 'hex')),
  'an alias of itself': (q) => answerTo(q, 1, Buffer.from('c00c000500010000003c0002c00c', 'hex')),
  'another question': (q) => Buffer.concat([answerTo(q, 1, Buffer.alloc(0)), q.subarray(12)]),
  'another number': (q) => Buffer.concat([Buffer.of((q[0] ?? 0) ^ 255), answerTo(q, 0, Buffer.alloc(0)).subarray(1)]),
  'cut short, and silent by TCP': (q) => {
    const answer = answerTo(q, 0, Buffer.alloc(0));
    answer.writeUInt16BE(0x8380, 2);
    return answer;
  },
  'the head alone': (q) => answerTo(q, 1, Buffer.alloc(0)).subarray(0, 12),
  nothing: () => Buffer.alloc(0),
};

function answerTo(question: Buffer, count: number, answers: Buffer): Buffer {
  const head = Buffer.from(question.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(count, 6);
  head.writeUInt16BE(0, 10);
  return Buffer.concat([head, question.subarray(12, question.indexOf(0, 12) + 5), answers]);
}

test.each(Object.entries(HOSTILE))(
  'an answer that is none is no name: %s',
  async (_, make) => {
    const server = await open();
    server.on('message', (question, from) => server.send(make(question), from.port, from.address));
    try {
      const startMs = performance.now();
      expect(await reverseName('10.0.0.5', [placeOf(server)])).toBeUndefined();
      expect(performance.now() - startMs).toBeLessThan(9000);
    } finally {
      server.close();
    }
  },
  20_000,
);

test('whatever bytes come, there is a name of a machine or none', async () => {
  const server = await open();
  let bytes: Uint8Array = new Uint8Array();
  server.on('message', (question, from) => {
    const whole = answerTo(question, bytes[0] ?? 0, Buffer.from(bytes));
    server.send(whole, from.port, from.address);
  });
  const tail = fc.oneof(fc.constant(''), fc.constant('c00c000c00010000003c'), fc.constant('c00c000500010000003c'));
  const message = fc
    .tuple(tail, fc.uint8Array({ maxLength: 60 }))
    .map(([head, rest]) => Buffer.concat([Buffer.from(head, 'hex'), rest]));
  try {
    await fc.assert(
      fc.asyncProperty(message, async (made) => {
        bytes = made;
        const name = await reverseName('10.0.0.5', [placeOf(server)]);
        if (name !== undefined) expect(isNetworkName(name)).toBe(true);
      }),
      { numRuns: 15, interruptAfterTimeLimit: 15_000 },
    );
  } finally {
    server.close();
  }
}, 60_000);

test('dozens of silent servers are not asked for longer than six seconds', async () => {
  const silent = await Promise.all(Array.from({ length: 12 }, open));
  try {
    const startMs = performance.now();
    expect(await reverseName('10.0.0.5', silent.map(placeOf))).toBeUndefined();
    expect(performance.now() - startMs).toBeLessThan(9000);
  } finally {
    for (const socket of silent) socket.close();
  }
}, 20_000);
