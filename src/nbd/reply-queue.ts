import type { Writable } from 'node:stream';
import {
  COMMAND,
  type Cookie,
  MAX_REPLY_HEADER_BYTES,
  type Range,
  writeErrorChunk,
  writeReadChunk,
  writeSimpleReply,
} from './protocol.ts';

/** Replies of a small read are copied behind their header: one piece costs less than two. */
const COPY_BYTES = 16 * 1024;
const ARENA_BYTES = 128 * 1024;
/** Arenas kept for the next batch: one batch is being written while another collects. */
const SPARE_ARENAS = 2;

/** Memory for headers and small reads, filled from the front. `sent` is where the piece not yet cut off begins. */
interface Arena {
  readonly bytes: Buffer;
  readonly view: DataView;
  used: number;
  sent: number;
}

interface Batch {
  readonly pieces: Uint8Array[];
  readonly arenas: Arena[];
  /** What reads gave, let go of when the batch is written. */
  readonly data: Uint8Array[];
  /** What the caller counts, given back when the batch is written. */
  weight: number;
}

/**
 * Collects replies and writes them in batches, one batch at a time: everything that comes while one is being written
 * makes up the next. So a slow client costs no more memory than the replies it has asked for, and a fast one gets
 * as few system calls as possible. Large data is passed on without a copy.
 */
export class ReplyQueue {
  /** Reads get structured replies. */
  structured = false;
  readonly #socket: Writable;
  readonly #onWritten: (weight: number) => void;
  readonly #release: (data: Uint8Array) => void;
  #spare: Arena[] = [];
  #batch: Batch = { pieces: [], arenas: [], data: [], weight: 0 };
  #writing = false;

  /** `onWritten` is told the weight of each batch when the system has taken it, `release` of each read's data then. */
  constructor(socket: Writable, onWritten: (weight: number) => void, release: (data: Uint8Array) => void) {
    this.#socket = socket;
    this.#onWritten = onWritten;
    this.#release = release;
  }

  /** Answers a read; `data` must stay as it is until the batch is written. */
  addRead(request: Cookie & Range, data: Uint8Array, weight: number): void {
    const copied = data.length <= COPY_BYTES ? data.length : 0;
    const arena = this.#arenaFor(MAX_REPLY_HEADER_BYTES + copied);
    const { view, used } = arena;
    arena.used = this.structured ? writeReadChunk(view, used, request) : writeSimpleReply(view, used, 0, request);
    this.#batch.weight += weight;
    if (copied === data.length) {
      arena.bytes.set(data, arena.used);
      arena.used += copied;
      this.#release(data);
    } else {
      this.#cut(arena);
      this.#batch.pieces.push(data);
      this.#batch.data.push(data);
    }
  }

  /** Answers a request without data; `error` 0 is success. */
  addStatus(request: Cookie & { command: number }, error: number, weight: number): void {
    const arena = this.#arenaFor(MAX_REPLY_HEADER_BYTES);
    const { view, used } = arena;
    // Simple replies stay allowed for everything but reads ("Structured reply chunk message").
    const chunk = this.structured && request.command === COMMAND.READ;
    arena.used = chunk ? writeErrorChunk(view, used, error, request) : writeSimpleReply(view, used, error, request);
    this.#batch.weight += weight;
  }

  /** Writes what there is, now or after the batch being written. */
  flush(): void {
    const batch = this.#batch;
    const arena = batch.arenas.at(-1);
    if (this.#writing || arena === undefined || !this.#socket.writable) return;
    this.#cut(arena);
    this.#batch = { pieces: [], arenas: [], data: [], weight: 0 };
    this.#writing = true;
    const written = (error?: Error | null): void => {
      if (error) return; // the socket closes, and its owner hears of that
      this.#writing = false;
      this.#reuse(batch.arenas);
      for (const data of batch.data) this.#release(data);
      this.#onWritten(batch.weight);
      this.flush();
    };
    const last = batch.pieces.length - 1;
    this.#socket.cork();
    for (const [i, piece] of batch.pieces.entries()) this.#socket.write(piece, i === last ? written : undefined);
    this.#socket.uncork();
  }

  /** True while replies are on their way. */
  get busy(): boolean {
    return this.#writing || this.#batch.arenas.length > 0;
  }

  #arenaFor(bytes: number): Arena {
    const { arenas } = this.#batch;
    const current = arenas.at(-1);
    if (current !== undefined && current.used + bytes <= ARENA_BYTES) return current;
    if (current !== undefined) this.#cut(current);
    const next = this.#spare.pop() ?? newArena();
    arenas.push(next);
    return next;
  }

  #cut(arena: Arena): void {
    if (arena.used > arena.sent) this.#batch.pieces.push(arena.bytes.subarray(arena.sent, arena.used));
    arena.sent = arena.used;
  }

  #reuse(arenas: readonly Arena[]): void {
    for (const arena of arenas.slice(0, SPARE_ARENAS - this.#spare.length)) {
      arena.used = 0;
      arena.sent = 0;
      this.#spare.push(arena);
    }
  }
}

function newArena(): Arena {
  const bytes = Buffer.allocUnsafeSlow(ARENA_BYTES);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), used: 0, sent: 0 };
}
