/**
 * How much may be on its way to a machine that loads its boot files by iPXE. TCP learns what a card can take by
 * overrunning it, and most drivers lose some packets then, which are sent again. Two of them never hear of anything
 * again, without a word on the screen. Pure.
 */

/** The least that a segment carries on an Ethernet of 1400 bytes, with time stamps: what is counted in is never more. */
const SEGMENT_BYTES = 1348;

/** By iPXE's `${netX/chip}`, the name that the driver gives the card. */
const FLIGHTS: readonly { readonly chip: RegExp; readonly segments: number }[] = [
  // drivers/net/eepro100.c has four receive buffers; once all were full nothing comes any more (seen with QEMU's i82550).
  // Two are left for what comes to all.
  { chip: /^(eepro100|id10(29|3[018a])|82801cam|8255\d|82562(et|e[mz]|-\d)|82865|prove)/, segments: 2 },
  // drivers/net/pcnet32.c clears away what it has sent only when something comes in, and never once all 16 buffers are
  // used: so many answers in a row follow a loss.
  { chip: /^pcnet/, segments: 14 },
];

/**
 * @param chip as the machine that asks says; null when it does not
 * @returns bytes that may be on their way; undefined: as many as TCP finds right
 */
export function flightFor(chip: string | null): number | undefined {
  const segments = FLIGHTS.find((flight) => chip !== null && flight.chip.test(chip))?.segments;
  return segments === undefined ? undefined : segments * SEGMENT_BYTES;
}

/** What a file is sent by to a machine that says in its question which card it loads by. */
export function inFlightsOf(query: URLSearchParams): { flightBytes?: number } {
  const flightBytes = flightFor(query.get('chip'));
  return flightBytes === undefined ? {} : { flightBytes };
}

/** About the time that a packet takes there and back. */
const FIRST_WAIT_MS = 1;
const GROWTH = 1.25;
const LONGEST_WAIT_MS = 100;

/**
 * How long to wait each time before it is looked again whether a flight has arrived. Ever longer: who lost a packet has
 * it again after 200 ms at the soonest, and a thousand connections that take nothing cost nothing.
 */
export function* arrivalWaitsMs(): Generator<number, never> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * GROWTH, LONGEST_WAIT_MS)) yield waitMs;
}
