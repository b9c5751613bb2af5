import type { FieldEvent } from './event.ts';
import type { ControlFrame } from './wire/frame.ts';

/** What has to be looked at again after an event: whom to dial, what to order, what to give. */
export interface Sides {
  readonly connect: boolean;
  readonly fetch: boolean;
  readonly give: boolean;
}

const NOTHING: Sides = { connect: false, fetch: false, give: false };
const ALL: Sides = { connect: true, fetch: true, give: true };

const SIDES: Readonly<Record<FieldEvent['kind'], Sides>> = {
  start: ALL,
  wake: ALL,
  datagram: { connect: true, fetch: false, give: false },
  connected: NOTHING,
  accepted: NOTHING,
  closed: ALL,
  // By what it says: `sidesOf`.
  frame: NOTHING,
  incoming: NOTHING,
  chunk: ALL,
  layout: ALL,
  index: { connect: true, fetch: false, give: false },
  papers: NOTHING,
  read: { connect: true, fetch: true, give: false },
  processors: { connect: false, fetch: true, give: false },
  agenda: { connect: true, fetch: true, give: false },
  'first read': { connect: false, fetch: true, give: false },
  'seek profile': NOTHING,
  'give profile': NOTHING,
  unread: NOTHING,
  origin: ALL,
  unheld: { connect: true, fetch: true, give: false },
  found: { connect: true, fetch: true, give: true },
  unwritten: NOTHING,
  behind: { connect: true, fetch: true, give: false },
  limits: ALL,
  refusals: ALL,
  preheat: ALL,
  peer: NOTHING,
  leave: NOTHING,
};

/** Frames of those that fetch from us, and of those that we fetch from. */
const FROM_CLIENT: Sides = { connect: false, fetch: false, give: true };
const FROM_SOURCE: Sides = { connect: false, fetch: true, give: false };
const CLIENT_FRAMES: ReadonlySet<ControlFrame['kind']> = new Set([
  ...(['subscribe', 'get', 'cancel', 'got', 'get index', 'get papers'] as const),
]);

export function sidesOf(event: FieldEvent): Sides {
  if (event.kind !== 'frame') return SIDES[event.kind];
  return CLIENT_FRAMES.has(event.frame.kind) ? FROM_CLIENT : FROM_SOURCE;
}
