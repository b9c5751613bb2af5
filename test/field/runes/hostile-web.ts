/**
 * A stranger at a boot server's web server: questions made to be logged, parameters made to be misread, a thousand
 * requests in one packet, downloads that nobody reads. Prints what came of it.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [, , server = ''] = process.argv;
const PORT = 20_080;
/** Another machine, on the same card. */
const OTHER = '10.86.200.2';

/** The whole of what comes, until the server ends it or the time is over. */
function talk(text: string | Buffer, options: { from?: string; ms?: number } = {}): Promise<string> {
  const { from, ms = 8000 } = options;
  return new Promise((resolve) => {
    const socket = connect({ port: PORT, host: server, ...(from === undefined ? {} : { localAddress: from }) });
    const parts: Buffer[] = [];
    const late = setTimeout(() => socket.destroy(), ms);
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      resolve(Buffer.concat(parts).toString('latin1'));
    });
    socket.once('connect', () => socket.write(text));
  });
}

const get = (target: string | Buffer): Buffer =>
  Buffer.concat([
    Buffer.from('GET '),
    Buffer.from(target),
    Buffer.from(' HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
  ]);
const codeOf = (answer: string): string => /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 'nothing';

const ODD = [
  '',
  '%',
  '%zz',
  '%00',
  '%0a',
  '%0d%0aX:y',
  '%ff%fe',
  '%c3%28',
  '%F0%9F%92%A9',
  '%ed%a0%80',
  '..%2f',
  ['$', '{base}'].join(''),
  '$1',
  '`',
  '%1b[2J',
  '52-54-00-12-34-56',
  '52:54:00:12:34:56',
  'ff-ff-ff-ff-ff-ff',
  'eepro100',
  'net0-7',
  'net0-4095',
  '4294967296',
  '-1',
  '1e9',
  'x'.repeat(400),
];
const NAMES = ['mac', 'chip', 'vlan', 'arch', 'uuid', 'card', 'ip', 'menu', 'here', 'bytes', '', '__proto__'];
const PATHS = ['boot.ipxe', 'menu.ipxe', 'vmlinuz', 'viverrd.zst', 'disk.ipxe', 'x/vmlinuz', '../x', 'boot.ipxe/'];
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

const codes: Record<string, number> = {};
function count(code: string): void {
  codes[code] = (codes[code] ?? 0) + 1;
}
for (let round = 0; round < 30; round++) {
  const asked = Array.from({ length: 20 }, (_, i) => {
    const query = Array.from({ length: 1 + (i % 5) }, () => `${pick(NAMES)}=${pick(ODD)}`).join('&');
    const raw = i === 0 ? randomBytes(20) : Buffer.from(query);
    return talk(get(Buffer.concat([Buffer.from(`/boot/${pick(PATHS)}?`), raw])));
  });
  for (const answer of await Promise.all(asked)) count(codeOf(answer));
}

// Each of them is worth a line of the log: its iPXE asks by another device than it says. Not by the address that may
// have been sent to its own disk before.
for (let i = 0; i < 200; i++)
  count(codeOf(await talk(get(`/boot/boot.ipxe?mac=52-54-00-00-00-01&card=net0&ip=1.2.3.${i}`), { from: OTHER })));

const many = 'GET /boot/viverrd.zst?here HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(900);
const pipelined = await Promise.all(Array.from({ length: 20 }, () => talk(many)));

const unread: Socket[] = Array.from({ length: 100 }, (_, i) => {
  const socket = connect(PORT, server);
  socket.on('error', () => {});
  const chip = i % 2 === 0 ? '' : '&chip=eepro100';
  socket.once('connect', () => socket.pause().write(`GET /boot/viverrd.zst?here${chip} HTTP/1.1\r\nHost: x\r\n\r\n`));
  return socket;
});
await sleep(1500);
const startMs = performance.now();
const kernel = await talk(get('/boot/vmlinuz?here'), { from: OTHER, ms: 30_000 });
const otherMs = performance.now() - startMs;
for (const socket of unread) socket.resetAndDestroy();
process.stdout.write(
  `${JSON.stringify({
    codes,
    pipelined: pipelined.filter((answer) => answer === '').length,
    otherBytes: kernel.length - kernel.indexOf('\r\n\r\n') - 4,
    otherMs,
  })}\n`,
);
process.exit(0);
