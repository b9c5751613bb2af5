import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bridge } from '../../vm/harness/bridge.ts';
import { ethernetFrame } from '../../vm/harness/frame.ts';
import { pcapHeader, pcapRecord } from '../../vm/harness/pcap.ts';
import { splitFrames, Wire } from '../../vm/harness/wire.ts';

const MAC = { a: '52:54:00:00:00:0a', b: '52:54:00:00:00:0b', all: 'ff:ff:ff:ff:ff:ff' };
const frame = (from: string, to: string, text = 'hello') => ethernetFrame(from, to, 0x88b5, Buffer.from(text));

function attached(wire: Wire, name: string) {
  const heard: string[] = [];
  const port = wire.attach(name, (bytes) => heard.push(bytes.toString('latin1', 14)));
  return { ...port, send: port.send, heard, port };
}

test('a bridge floods what it does not know and sends what it learned to one port', () => {
  const bridge = new Bridge<string>();
  const ports = ['one', 'two', 'three'];
  expect(bridge.forward('one', frame(MAC.a, MAC.b), ports)).toEqual(['two', 'three']);
  expect(bridge.forward('two', frame(MAC.b, MAC.a), ports)).toEqual(['one']);
  expect(bridge.forward('one', frame(MAC.a, MAC.b), ports)).toEqual(['two']);
  expect(bridge.forward('one', frame(MAC.a, MAC.all), ports)).toEqual(['two', 'three']);
  expect(bridge.forward('two', frame(MAC.a, MAC.b), ports)).toEqual([]);
  bridge.forget('two');
  expect(bridge.forward('one', frame(MAC.a, MAC.b), ports)).toEqual(['two', 'three']);
});

test('a frame never comes back to the port it came from', () => {
  const address = fc.uint8Array({ minLength: 12, maxLength: 12 });
  const steps = fc.array(fc.tuple(fc.constantFrom('x', 'y', 'z'), address, fc.uint8Array({ maxLength: 8 })));
  fc.assert(
    fc.property(steps, (all) => {
      const bridge = new Bridge<string>();
      for (const [from, head, tail] of all) {
        expect(bridge.forward(from, Buffer.concat([head, tail]), ['x', 'y', 'z'])).not.toContain(from);
      }
    }),
  );
});

test('frames come out of a stream whole, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.nat(200), { maxLength: 12 }),
      (frames, cuts) => {
        const stream = Buffer.concat(
          frames.flatMap((bytes) => {
            const length = Buffer.alloc(4);
            length.writeUInt32BE(bytes.length);
            return [length, bytes];
          }),
        );
        const edges = [0, ...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
        const found: Buffer[] = [];
        let rest: Buffer = Buffer.alloc(0);
        for (const [index, edge] of edges.slice(1).entries()) {
          const split = splitFrames(Buffer.concat([rest, stream.subarray(edges[index], edge)]));
          found.push(...split.frames);
          rest = split.rest;
        }
        expect(found.map((bytes) => bytes.toString('hex'))).toEqual(
          frames.map((bytes) => Buffer.from(bytes).toString('hex')),
        );
        expect(rest.length).toBe(0);
      },
    ),
  );
});

test('a length that cannot be ends the stream with an error', () => {
  expect(() => splitFrames(Buffer.from([0xff, 0, 0, 0]))).toThrow('cannot be');
});

test('a cut port hears nothing and is not heard, until it is put back', () => {
  const wire = new Wire();
  const one = attached(wire, 'one');
  const two = attached(wire, 'two');
  wire.port('two').rules = { cut: true };
  one.send(frame(MAC.a, MAC.all, 'lost'));
  two.send(frame(MAC.b, MAC.all, 'lost too'));
  wire.port('two').rules = {};
  one.send(frame(MAC.a, MAC.all, 'heard'));
  expect(two.heard).toEqual(['heard']);
  expect(one.heard).toEqual([]);
});

test('a port drops the frames it is told to and changes what its machine sends', () => {
  const wire = new Wire();
  const one = attached(wire, 'one');
  const two = attached(wire, 'two');
  wire.port('two').rules = { drop: (bytes) => bytes.includes('bad') };
  wire.port('one').rules = { change: (bytes) => Buffer.from(bytes.toString('latin1').replace('x', 'y'), 'latin1') };
  for (const text of ['x1', 'bad', 'x2']) one.send(frame(MAC.a, MAC.all, text));
  expect(two.heard).toEqual(['y1', 'y2']);
});

test('a delay keeps the order, and what is under way when the cable is cut is lost', async () => {
  const wire = new Wire();
  const one = attached(wire, 'one');
  const two = attached(wire, 'two');
  wire.port('two').rules = { delayMs: 5 };
  one.send(frame(MAC.a, MAC.all, 'first'));
  one.send(frame(MAC.a, MAC.all, 'second'));
  expect(two.heard).toEqual([]);
  await expect.poll(() => two.heard).toEqual(['first', 'second']);
  one.send(frame(MAC.a, MAC.all, 'third'));
  wire.port('two').rules = { cut: true };
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(two.heard).toEqual(['first', 'second']);
});

test("QEMU's stream sockets are ports, and go with their socket", async () => {
  const wire = new Wire();
  const one = attached(wire, 'one');
  const sent: Buffer[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk);
      done();
    },
  });
  wire.plug(socket, 'machine');
  const bytes = frame(MAC.b, MAC.all, 'from the machine');
  socket.push(Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]));
  await turn();
  expect(one.heard).toEqual(['from the machine']);
  const answer = frame(MAC.a, MAC.b, 'to the machine');
  one.send(answer);
  expect(Buffer.concat(sent)).toEqual(Buffer.concat([Buffer.from([0, 0, 0, answer.length]), answer]));
  expect(wire.port('machine').receivedBytes).toBe(answer.length);
  socket.destroy();
  await turn();
  expect(() => wire.port('machine')).toThrow("no port 'machine' among one");
});

test('a capture has the header and the record that other programs read', () => {
  expect(pcapHeader().toString('hex')).toBe('d4c3b2a1020004000000000000000000000001000100'.padEnd(48, '0'));
  const record = pcapRecord(Buffer.from('abc'), 1_500.25);
  expect([0, 4, 8, 12].map((at) => record.readUInt32LE(at))).toEqual([1, 500_250, 3, 3]);
  expect(record.toString('latin1', 16)).toBe('abc');
});
