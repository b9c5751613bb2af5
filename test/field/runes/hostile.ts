/** Throws broken packets at a boot server: DHCP, TFTP, HTTP. Prints what was thrown. */

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeDiscover } from '../../../src/net/dhcp-message.ts';

const [, , server = ''] = process.argv;
const ROUNDS = 300;
const HEADERS = 28;

const udp = createSocket('udp4');
await new Promise<void>((resolve) => udp.bind(0, resolve));
udp.setBroadcast(true);
const good = encodeDiscover(7, '52:54:00:00:00:07', [1, 3]).subarray(HEADERS);
for (let i = 0; i < ROUNDS; i++) {
  const broken = Buffer.from(good);
  for (let flips = 0; flips < 1 + (i % 20); flips++) broken[Math.floor(Math.random() * broken.length)] = i & 255;
  const cut = broken.subarray(0, i % 3 === 0 ? Math.floor(Math.random() * broken.length) : broken.length);
  const long = i % 50 === 0 ? Buffer.concat([cut, randomBytes(1200)]) : cut;
  udp.send(long, 67, i % 2 === 0 ? server : '255.255.255.255');
  udp.send(randomBytes(1 + (i % 600)), 69, server);
  udp.send(Buffer.from(`\0\x01${'../'.repeat(i % 60)}etc/passwd\0octet\0blksize\0${'9'.repeat(i % 9)}\0`), 69, server);
  if (i % 20 === 0) await sleep(5);
}
udp.close();

/** Resolves when the server has ended it, with what it answered. */
function http(send: (write: (text: string | Buffer) => void) => void): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(20_080, server);
    let text = '';
    const drip = setInterval(() => socket.writable && socket.write('x'), 500);
    socket.on('data', (part) => (text += part.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(drip);
      resolve(text.split('\r\n')[0] ?? '');
    });
    socket.once('connect', () => send((bytes) => void socket.write(bytes)));
  });
}

const answers = await Promise.all([
  // a header that never ends, a byte at a time
  http((write) => write('GET / HTTP/1.1\r\nX-Slow: ')),
  http((write) => write(`GET / HTTP/1.1\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`)),
  http((write) => write(randomBytes(500))),
  http((write) => write('GET /boot/../../etc/shadow HTTP/1.0\r\n\r\n')),
]);
process.stdout.write(`${JSON.stringify(answers)}\n`);
process.exit(0);
