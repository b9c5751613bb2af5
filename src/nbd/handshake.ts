import { CodecError, decode, encode } from '../codec/struct.ts';
import {
  BLOCK_SIZE,
  clientFlags,
  EXPORT_FLAG,
  encodeOptionReply,
  exportReply,
  exportReplyZeroes,
  greeting,
  HANDSHAKE_FLAG,
  INFO,
  infoBlockSize,
  infoExport,
  infoRequest,
  infoText,
  nameOf,
  OPTION,
  optionHeader,
  REPLY,
  serverReply,
} from './protocol.ts';

/** What is served. The empty name, the protocol's "default export", means it as well. */
export interface ExportDescription {
  readonly name: string;
  /** For people. */
  readonly description: string;
  /** Bytes. */
  readonly size: number;
  /** EXPORT_FLAG bits. */
  readonly flags: number;
}

/** What the bytes taken so far lead to: send `replies`, and then go on, start transmission, or close the connection. */
export interface HandshakeStep {
  readonly replies: readonly Uint8Array[];
  readonly next: 'options' | 'transmission' | 'close';
  /** With 'transmission': bytes that already belong to it, and whether reads get structured replies. */
  readonly rest: Uint8Array;
  readonly structured: boolean;
  /** With 'close': what the client did wrong, for the log; nothing if it just took its leave. */
  readonly reason?: string;
}

/** Room for the longest sensible option: a name of 4096 bytes and some hundred information requests. */
const MAX_OPTION_BYTES = 8192;
/** Longer than this nobody skips for a client. */
const MAX_SKIPPED_BYTES = 1024 * 1024;
/** A client that haggles longer than this does not want a block device. */
const MAX_OPTIONS = 64;

const NOTHING = new Uint8Array();
const text = new TextEncoder();

interface OptionAnswer {
  readonly replies: readonly Uint8Array[];
  readonly next?: 'transmission' | 'close';
  readonly reason?: string;
}

/** What the server says first. */
export function encodeGreeting(): Uint8Array {
  return encode(greeting, { flags: HANDSHAKE_FLAG.FIXED_NEWSTYLE | HANDSHAKE_FLAG.NO_ZEROES });
}

/**
 * The server's side of the fixed newstyle handshake ("Newstyle negotiation"), pure: bytes in, bytes out, however they
 * are split into packets. Its memory is bounded by one option.
 */
export class Handshake {
  readonly #export: ExportDescription;
  readonly #buffer = new Uint8Array(optionHeader.size + MAX_OPTION_BYTES);
  #used = 0;
  #skip = 0;
  #options = 0;
  #flags: number | undefined;
  #structured = false;

  constructor(exported: ExportDescription) {
    this.#export = exported;
  }

  take(bytes: Uint8Array): HandshakeStep {
    const replies: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      const taken = Math.min(this.#missing(), bytes.length - at);
      this.#buffer.set(bytes.subarray(at, at + taken), this.#used);
      this.#used += taken;
      at += taken;
      if (this.#skip > 0 || this.#missing() > 0) {
        if (at < bytes.length) continue; // the header came first and now says how much more there is
        return this.#step(replies, 'options', NOTHING);
      }
      const answer = this.#complete();
      replies.push(...answer.replies);
      if (answer.next === 'transmission') return this.#step(replies, 'transmission', bytes.subarray(at));
      if (answer.next === 'close') return { ...answer, ...this.#step(replies, 'close', NOTHING) };
    }
  }

  #step(replies: readonly Uint8Array[], next: HandshakeStep['next'], rest: Uint8Array): HandshakeStep {
    return { replies, next, rest, structured: this.#structured };
  }

  /** Bytes still needed before #complete() can go on. */
  #missing(): number {
    if (this.#flags === undefined) return clientFlags.size - this.#used;
    if (this.#used < optionHeader.size) return optionHeader.size - this.#used;
    return optionHeader.size + this.#heldLength() - this.#used;
  }

  /** Length of the option whose header is in the buffer; one that is too long is skipped, not held. */
  #heldLength(): number {
    const length = ((this.#buffer[12] ?? 0) << 24) + ((this.#buffer[13] ?? 0) << 16) + ((this.#buffer[14] ?? 0) << 8);
    const all = (length + (this.#buffer[15] ?? 0)) >>> 0;
    return all > MAX_OPTION_BYTES ? 0 : all;
  }

  #complete(): OptionAnswer {
    if (this.#flags === undefined) return this.#takeFlags();
    const { option, length } = this.#header() ?? {};
    if (option === undefined || length === undefined) return close('an option without its magic number');
    if (++this.#options > MAX_OPTIONS) return close(`more than ${MAX_OPTIONS} options`);
    const data = this.#buffer.subarray(optionHeader.size, this.#used);
    this.#used = 0;
    if (length > MAX_SKIPPED_BYTES) return close(`option ${nameOf(OPTION, option)} of ${length} bytes`);
    if (length > MAX_OPTION_BYTES) {
      this.#skip = length;
      return option === OPTION.EXPORT_NAME ? close('a name too long') : failed(option, REPLY.ERR_TOO_BIG, 'too long');
    }
    return this.#answer(option, data);
  }

  #takeFlags(): OptionAnswer {
    const flags = decode(clientFlags, this.#buffer);
    this.#used = 0;
    const unknown = flags & ~(HANDSHAKE_FLAG.FIXED_NEWSTYLE | HANDSHAKE_FLAG.NO_ZEROES);
    if (unknown !== 0) return close(`unknown client flags 0x${(unknown >>> 0).toString(16)}`);
    this.#flags = flags;
    return { replies: [] };
  }

  #header(): { option: number; length: number } | undefined {
    try {
      return decode(optionHeader, this.#buffer);
    } catch (error) {
      if (error instanceof CodecError) return undefined;
      throw error;
    }
  }

  #answer(option: number, data: Uint8Array): OptionAnswer {
    switch (option) {
      case OPTION.EXPORT_NAME:
        return this.#exportName(data);
      case OPTION.ABORT:
        return { replies: [encodeOptionReply(option, REPLY.ACK)], next: 'close' };
      case OPTION.LIST:
        return this.#list(data);
      case OPTION.STRUCTURED_REPLY:
        if (data.length > 0) return failed(option, REPLY.ERR_INVALID, 'STRUCTURED_REPLY takes no data');
        this.#structured = true;
        return { replies: [encodeOptionReply(option, REPLY.ACK)] };
      case OPTION.INFO:
      case OPTION.GO:
        return this.#info(option, data);
      default:
        return failed(option, REPLY.ERR_UNSUP, `${nameOf(OPTION, option)} is not spoken here`);
    }
  }

  #exportName(data: Uint8Array): OptionAnswer {
    if (!this.#isName(data)) return close('no such export');
    const reply = encode(exportReply, this.#sizeAndFlags());
    const zeroes = ((this.#flags ?? 0) & HANDSHAKE_FLAG.NO_ZEROES) === 0;
    return {
      replies: zeroes ? [reply, encode(exportReplyZeroes, undefined)] : [reply],
      next: 'transmission',
    };
  }

  #list(data: Uint8Array): OptionAnswer {
    if (data.length > 0) return failed(OPTION.LIST, REPLY.ERR_INVALID, 'LIST takes no data');
    const name = encode(serverReply, { name: text.encode(this.#export.name) });
    return {
      replies: [encodeOptionReply(OPTION.LIST, REPLY.SERVER, name), encodeOptionReply(OPTION.LIST, REPLY.ACK)],
    };
  }

  #info(option: number, data: Uint8Array): OptionAnswer {
    let request: { name: Uint8Array; wanted: number[] };
    try {
      const [value, end] = infoRequest.read(data, 0);
      if (end !== data.length) return failed(option, REPLY.ERR_INVALID, 'bytes after the last request');
      request = value;
    } catch (error) {
      if (error instanceof CodecError) return failed(option, REPLY.ERR_INVALID, error.message);
      throw error;
    }
    if (!this.#isName(request.name)) return failed(option, REPLY.ERR_UNKNOWN, 'no such export');
    const { name, description } = this.#export;
    const infos = [encode(infoExport, this.#sizeAndFlags())];
    for (const wanted of new Set(request.wanted)) {
      if (wanted === INFO.NAME) infos.push(encode(infoText, { type: wanted, text: text.encode(name) }));
      if (wanted === INFO.DESCRIPTION) infos.push(encode(infoText, { type: wanted, text: text.encode(description) }));
      if (wanted === INFO.BLOCK_SIZE) infos.push(encode(infoBlockSize, BLOCK_SIZE));
    }
    const replies = infos.map((info) => encodeOptionReply(option, REPLY.INFO, info));
    replies.push(encodeOptionReply(option, REPLY.ACK));
    return option === OPTION.GO ? { replies, next: 'transmission' } : { replies };
  }

  #sizeAndFlags(): { size: number; flags: number } {
    const { size, flags } = this.#export;
    return { size, flags: this.#structured ? flags | EXPORT_FLAG.SEND_DF : flags };
  }

  #isName(bytes: Uint8Array): boolean {
    return bytes.length === 0 || Buffer.compare(bytes, text.encode(this.#export.name)) === 0;
  }
}

function close(reason: string): OptionAnswer {
  return { replies: [], next: 'close', reason };
}

function failed(option: number, type: number, message: string): OptionAnswer {
  return { replies: [encodeOptionReply(option, type, text.encode(message))] };
}
