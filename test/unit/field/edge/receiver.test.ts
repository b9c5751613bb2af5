import { expect, test } from 'vitest';
import { Receiver } from '../../../../src/field/edge/receiver.ts';
import { anyIndex } from '../signing.ts';

const receiving = () => {
  const told: string[] = [];
  const index = anyIndex();
  const receiver = new Receiver({
    index: () => index,
    holder: () => undefined,
    hasIndex: false,
    begun: (_, chunk) => told.push(`${chunk} begun`),
    whole: (_, chunk) => told.push(`${chunk} whole`),
    late: (_, chunk) => told.push(`${chunk} late`),
    wholePiece: () => told.push('piece'),
  });
  return { told, length: index.length(1), sink: receiver.receiving(7, true) };
};

test('a chunk is told of when it begins and when it is whole', () => {
  const { told, length, sink } = receiving();
  sink.dataStart(1, false, length);
  sink.body(new Uint8Array(length));
  sink.bodyEnd();
  expect(told).toEqual(['1 begun', '1 whole']);
});

test('what is decoded after the connection has ended is nobody’s: a chunk, and the rest of one', () => {
  const { told, length, sink } = receiving();
  sink.dataStart(1, false, length);
  sink.cut();
  sink.body(new Uint8Array(length));
  sink.bodyEnd();
  sink.dataStart(1, false, length);
  sink.body(new Uint8Array(length));
  sink.bodyEnd();
  expect(told).toEqual(['1 begun']);
});
