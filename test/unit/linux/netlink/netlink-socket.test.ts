import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openNetlink } from '../../../../src/linux/netlink/netlink-socket.ts';

const ignore = { onMessage() {}, onOverrun() {}, onError() {} };

test('a protocol the kernel does not have names itself', () => {
  expect(() => openNetlink({ ...ignore, protocol: 29 })).toThrow(/netlink protocol 29.*: EPROTONOSUPPORT/);
});

test('a closed socket refuses to send, and closing twice does nothing', () => {
  const socket = openNetlink({ ...ignore, protocol: 0 });
  socket.close();
  socket.close();
  expect(() => socket.send(new Uint8Array(16))).toThrow('closed');
});

function runNode(code: string): string {
  const source = JSON.stringify(join(import.meta.dirname, '../../../../src/linux/netlink/netlink-socket.ts'));
  const script = code.replace('SOURCE', source);
  return execFileSync('/bin/sh', ['-c', '"$0" --input-type=module -e "$1" 2>&1', process.execPath, script], {
    timeout: 20_000,
    encoding: 'utf8',
  });
}

test('importing loads no addon', () => {
  const code = `import SOURCE; import fs from 'node:fs';
    console.log(fs.readFileSync('/proc/self/maps', 'utf8').includes('napi.node'));`;
  expect(runNode(code)).toBe('false\n');
});

test('an error thrown by a handler is an ordinary uncaught exception', () => {
  const code = `import { openNetlink } from SOURCE;
    process.once('uncaughtException', (error) => { console.log('caught', error.message); process.exit(); });
    const socket = openNetlink({ protocol: 0, onMessage() { throw new Error('handler'); }, onOverrun() {}, onError() {} });
    const request = Buffer.alloc(20);
    request.writeUInt32LE(20, 0); request.writeUInt16LE(18, 4); request.writeUInt16LE(0x301, 6);
    socket.send(request);`;
  expect(runNode(code)).toBe('caught handler\n');
});

test('a socket that need not stay lets the process end', () => {
  const code = `import { openNetlink } from SOURCE;
    openNetlink({ protocol: 0, onMessage() {}, onOverrun() {}, onError() {} }).keepAlive(false);
    console.log('end');`;
  expect(runNode(code)).toBe('end\n');
});

test('sockets of two protocols with one port each look after their own descriptor', () => {
  // In a process of its own the kernel gives the first socket of each protocol the process's number.
  const code = `import { openNetlink } from SOURCE; import { writeFileSync } from 'node:fs';
    const handlers = { onMessage() {}, onError() {} };
    const route = openNetlink({ ...handlers, protocol: 0, onOverrun() {} });
    const onOverrun = () => { console.log('overrun'); process.exit(); };
    const events = openNetlink({ ...handlers, protocol: 15, groups: 1, receiveBufferBytes: 4096, onOverrun });
    console.log(events.port === route.port);
    route.close();
    setTimeout(() => { for (let i = 0; i < 100; i++) writeFileSync('/sys/devices/virtual/mem/null/uevent', 'change'); }, 20);`;
  expect(runNode(code)).toBe('true\noverrun\n');
});
