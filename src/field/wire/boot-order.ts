import { type Codec, CodecError } from '../../codec/struct.ts';
import { ChunkSet } from './chunk-set.ts';
import { CONTROL_FRAME_LIMIT } from './protocol.ts';
import { several, varint } from './varint.ts';

/** Chunks [start, end) that follow each other in the image and in time, and how many of the boots read them. */
export interface BootRun {
  readonly start: number;
  readonly end: number;
  readonly boots: number;
}

/** What boots read of the image, chunk by chunk: the boot profile as nodes tell it. A hint; nothing depends on it. */
export interface BootOrder {
  /** Boots that are in it, 1 to 255. */
  readonly boots: number;
  /** First read first; at least one. */
  readonly runs: readonly BootRun[];
}

export const ORDER_BOOTS_LIMIT = 255;
const RUNS_LIMIT = 8192;
/** Chunks in all runs. */
const CHUNKS_LIMIT = 1 << 16;
/** Of a frame's body, as a sender cuts it. */
const BYTES_SENT = CONTROL_FRAME_LIMIT - 1024;

/** From the end of the run before to the start of this one, both ways: 0, -1, 1, -2 … become 0, 1, 2, 3 … */
const toUnsigned = (step: number): number => (step < 0 ? -2 * step - 1 : 2 * step);
const toSigned = (raw: number): number => (raw % 2 === 1 ? -(raw + 1) / 2 : raw / 2);

/** step · length · boots */
const run: Codec<readonly [step: number, length: number, boots: number]> = {
  sizeOf: ([step, length, boots]) => varint.sizeOf(step) + varint.sizeOf(length) + varint.sizeOf(boots),
  write: ([step, length, boots], target, offset) =>
    varint.write(boots, target, varint.write(length, target, varint.write(step, target, offset))),
  read(source, offset) {
    const [step, afterStep] = varint.read(source, offset);
    const [length, afterLength] = varint.read(source, afterStep);
    const [boots, next] = varint.read(source, afterLength);
    return [[step, length, boots], next];
  },
};
const list = several(run, RUNS_LIMIT);

function toList(runs: readonly BootRun[]): (readonly [number, number, number])[] {
  let at = 0;
  return runs.map(({ start, end, boots }) => {
    const step = toUnsigned(start - at);
    at = end;
    return [step, end - start, boots] as const;
  });
}

/** boots (varint) · list of runs: step, length, boots (varints). What it names is checked by `faultOf`. */
export const bootOrderCodec: Codec<BootOrder> = {
  sizeOf: ({ boots, runs }) => varint.sizeOf(boots) + list.sizeOf(toList(runs)),
  write: ({ boots, runs }, target, offset) => list.write(toList(runs), target, varint.write(boots, target, offset)),
  read(source, offset) {
    const [all, afterBoots] = varint.read(source, offset);
    if (all < 1 || all > ORDER_BOOTS_LIMIT) throw new CodecError(`profile of ${all} boots`);
    const [steps, next] = list.read(source, afterBoots);
    if (steps.length === 0) throw new CodecError('profile of nothing');
    let at = 0;
    let left = CHUNKS_LIMIT;
    const runs = steps.map(([step, length, boots]) => {
      const start = at + toSigned(step);
      at = start + length;
      left -= length;
      if (length === 0 || left < 0) throw new CodecError(`profile with a run of ${length} chunks`);
      if (start < 0 || at > 2 ** 32) throw new CodecError(`profile with chunk ${start}`);
      if (boots < 1 || boots > all) throw new CodecError(`profile with chunks read by ${boots} of ${all} boots`);
      return { start, end: at, boots };
    });
    return [{ boots: all, runs }, next];
  },
};

/** What is wrong with a profile of an image of so many chunks; undefined: nothing. */
export function faultOf({ runs }: BootOrder, chunks: number): string | undefined {
  const named = new ChunkSet(chunks);
  for (const { start, end } of runs) {
    if (end > chunks) return `names chunk ${end - 1} of ${chunks} in a profile`;
    for (let chunk = start; chunk < end; chunk++) {
      if (!named.add(chunk)) return `names chunk ${chunk} twice in a profile`;
    }
  }
  return undefined;
}

/** As it may be sent: what is read last is left away; undefined: nothing is left. */
export function fittingOrder(order: BootOrder): BootOrder | undefined {
  if (order.boots < 1 || order.boots > ORDER_BOOTS_LIMIT) return undefined;
  const runs: BootRun[] = [];
  let chunks = CHUNKS_LIMIT;
  let bytes = BYTES_SENT;
  let at = 0;
  for (const { start, end, boots } of order.runs) {
    chunks -= end - start;
    bytes -= run.sizeOf([toUnsigned(start - at), end - start, boots]);
    at = end;
    if (chunks < 0 || bytes < 0 || runs.length === RUNS_LIMIT) break;
    runs.push({ start, end, boots });
  }
  return runs.length === 0 ? undefined : { boots: order.boots, runs };
}
