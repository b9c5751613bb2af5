/**
 * Pure readers of what lies on a device: a probe asks for spans of bytes, one after another, and whoever runs it reads
 * them. So the same code runs on devices, on files and on bytes in memory, and never reads by itself.
 */

/** Bytes of a device, as a half-open range. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Is given the bytes of each span it asks for; fewer when the device ends before. */
export type Probe<T> = Generator<Span, T, Uint8Array>;

/** A probe asks for one piece after another, and what it follows may be a circle: so many are read at most. */
const MOST_SPANS = 4096;

/** Runs a probe on bytes in memory. */
export function probeBytes<T>(probe: Probe<T>, bytes: Uint8Array): T {
  let step = probe.next();
  for (let count = 0; step.done !== true; count++) {
    if (count === MOST_SPANS) throw new Error(`more than ${MOST_SPANS} pieces would have to be read`);
    const { offset, length } = step.value;
    step = probe.next(bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length)));
  }
  return step.value;
}

/** Runs a probe on what `read` gives. */
export async function runProbe<T>(probe: Probe<T>, read: (span: Span) => Promise<Uint8Array>): Promise<T> {
  let step = probe.next();
  for (let count = 0; step.done !== true; count++) {
    if (count === MOST_SPANS) throw new Error(`more than ${MOST_SPANS} pieces would have to be read`);
    step = probe.next(await read(step.value));
  }
  return step.value;
}
