/** What a hostile neighbour could send, by real sockets, without end: mutated, spliced, replayed, out of every bound. */
import { readFileSync } from 'node:fs';
import { ChunkSet } from '../../src/field/wire/chunk-set.ts';
import { encodeDatagram, type Sections } from '../../src/field/wire/datagram.ts';
import {
  type ControlFrame,
  encodeControlFrame,
  encodeDataHeader,
  encodeIndexHeader,
} from '../../src/field/wire/frame.ts';
import { packHoldings } from '../../src/field/wire/holdings.ts';
import { encodeSeek } from '../../src/field/wire/offer.ts';
import { KIND, type Kind } from '../../src/field/wire/protocol.ts';
import { makeRecord, type NodeRecord } from '../../src/field/wire/record.ts';
import { emptySummary, summarize } from '../../src/field/wire/summary.ts';
import { generator } from '../bench/field/simulator.ts';
import { pause, RawGuest, Stranger } from '../unit/field/stranger.ts';
import type { Daemon, TestImage } from './field-harness.ts';

const EXTREMES = [0, 1, 127, 128, 255, 2 ** 16 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 43 - 1, 2 ** 48 - 1];
const KINDS = Object.keys(KIND) as Kind[];

export class Hostility {
  sent = 0;
  readonly #random: () => number;
  readonly #image: TestImage;
  readonly #targets: readonly Daemon[];
  /** Names and addresses of the honest, to be misused. */
  readonly #honest: { readonly node: number; readonly address: string }[] = [];
  readonly #before: Uint8Array[] = [];

  constructor(image: TestImage, targets: readonly Daemon[], seed: number) {
    this.#image = image;
    this.#targets = targets;
    this.#random = generator(seed);
  }

  /** Sends until so many messages have gone, from several hosts at once. */
  async run(messages: number): Promise<void> {
    for (const target of this.#targets) {
      const { id, address } = (await target.status()).node;
      this.#honest.push({ node: Number.parseInt(id, 16), address });
    }
    const hosts = [1, 2, 3, 4].map((i) => `127.66.${this.#below(200)}.${i}`);
    await Promise.all(
      hosts.map((host, i) => (i % 2 === 0 ? this.#datagrams(host, messages) : this.#frames(host, messages))),
    );
  }

  async #datagrams(host: string, messages: number): Promise<void> {
    while (this.sent < messages) {
      using stranger = await Stranger.at(host, this.#image.id, 1 + this.#below(2 ** 47), this.#image.chunks);
      const target = this.#pick(this.#targets);
      await stranger.prove(target.address).catch(() => {});
      for (let i = 0; i < 400; i++) {
        for (let j = 0; j < 10; j++) {
          const bytes = this.#random() < 0.02 ? encodeSeek(this.#below(2 ** 32)) : this.#datagram(stranger.address);
          stranger.sendBytes(this.#pick(this.#targets).address, this.#mutated(bytes));
          this.sent++;
        }
        await pause(3);
        if (this.sent >= messages) return;
      }
    }
  }

  async #frames(host: string, messages: number): Promise<void> {
    while (this.sent < messages) {
      const target = this.#pick(this.#targets);
      const { node, address } =
        this.#random() < 0.5 ? this.#pick(this.#honest) : { node: this.#extreme(), address: ':1' };
      const isGreeted = this.#random() < 0.85;
      using guest = isGreeted
        ? await RawGuest.greet(
            target.address,
            this.#image.id,
            Math.max(1, node),
            Number(address.split(':')[1]) || 1,
            host,
          )
        : await RawGuest.connect(target.address, host);
      if (this.#random() < 0.3) guest.socket.pause();
      const count = this.#below(60);
      for (let i = 0; i < count; i++) {
        const bytes = this.#frame();
        // Whole ones first: a fault ends the connection.
        guest.write(i < count / 2 && this.#random() < 0.8 ? bytes : this.#mutated(bytes));
        this.sent++;
      }
      await pause(this.#random() < 0.1 ? 200 : 2);
    }
  }

  #datagram(from: string): Uint8Array {
    const sections: Sections = {};
    const mine = [0, 1, 2].slice(0, this.#below(4)).map(() => this.#record(from));
    if (mine.length > 0) sections.records = mine;
    if (this.#random() < 0.4) sections.question = this.#below(2 ** 32);
    if (this.#random() < 0.3) sections.answer = this.#below(2 ** 32);
    if (this.#random() < 0.3) sections.cookie = Uint8Array.from({ length: 8 }, () => this.#below(256));
    if (this.#random() < 0.3) sections.digest = { sum: this.#below(2 ** 32), rows: this.#below(100) };
    if (this.#random() < 0.1) sections.buckets = Uint32Array.from({ length: 256 }, () => this.#below(2 ** 32));
    if (this.#random() < 0.1) {
      sections.scope = new Uint8Array(32).fill(255);
      sections.hashes = Array.from({ length: this.#below(100) }, () => ({ node: this.#below(2 ** 48), hash: 1 }));
    }
    if (this.#random() < 0.1) sections.wants = Array.from({ length: this.#below(150) }, () => this.#below(2 ** 48));
    if (this.#random() < 0.2) sections.down = { node: this.#pick(this.#honest).node, reason: this.#below(4) };
    if (this.#random() < 0.2) sections.ranges = [{ start: 0, end: 1 + this.#below(4000) }];
    const chunks = this.#random() < 0.8 ? this.#image.chunks : this.#below(2 ** 32);
    const sender = this.#random() < 0.3 ? this.#pick(this.#honest).node : 1 + this.#below(2 ** 47);
    return encodeDatagram({ kind: this.#pick(KINDS), field: this.#image.id.slice(0, 16), sender, chunks, ...sections });
  }

  #record(from: string): NodeRecord {
    const honest = this.#pick(this.#honest);
    const isHonest = this.#random() < 0.4;
    const address =
      this.#random() < 0.4 ? honest.address : this.#random() < 0.5 ? from : `127.66.1.${this.#below(255)}:7`;
    const held = new ChunkSet(this.#image.chunks);
    for (let i = 0; i < 5; i++) held.add(this.#below(this.#image.chunks));
    return makeRecord({
      node: isHonest ? honest.node : 1 + this.#below(2 ** 47),
      life: Math.max(1, Math.min(2 ** 43 - 1, this.#random() < 0.5 ? Date.now() : this.#extreme())),
      version: Math.min(2 ** 32 - 1, this.#random() < 0.5 ? this.#below(1000) : this.#extreme()),
      state: this.#below(3),
      address,
      summary: this.#random() < 0.5 ? summarize(held, this.#below(256)) : emptySummary(this.#image.chunks),
    });
  }

  #frame(): Uint8Array {
    const { chunks } = this.#image;
    const ranges = [{ start: this.#below(chunks), end: chunks + this.#below(3000) }];
    const flags = { choose: this.#random() < 0.5, urgent: this.#random() < 0.5, insist: this.#random() < 0.5 };
    const piece = this.#random() < 0.5 ? 2 ** 32 - 1 : this.#below(2000);
    const peers = [{ node: this.#below(2 ** 48), address: '127.66.9.9:9' }];
    const frames: ControlFrame[] = [
      { kind: 'subscribe' },
      { kind: 'get', ...flags, count: this.#below(60_000), ranges },
      { kind: 'get', ...flags, count: 1, ranges: [{ start: 0, end: 1 }] },
      { kind: 'cancel', ranges },
      { kind: 'got', count: this.#extreme() },
      { kind: 'get index', piece },
      { kind: 'have', added: ranges, removed: ranges },
      { kind: 'lack', choices: this.#below(1000), ranges },
      { kind: 'holdings', window: packHoldings(ChunkSet.full(chunks), { start: 0, end: chunks }) },
      { kind: 'pointers', pointers: peers.map((peer) => ({ chunk: this.#below(chunks), ...peer })) },
      { kind: 'refuse', others: peers },
      { kind: 'index at', others: peers },
    ];
    const chance = this.#random();
    if (chance < 0.05) return encodeDataHeader(this.#below(chunks * 2), chance < 0.02, this.#below(300_000));
    if (chance < 0.08)
      return encodeIndexHeader(
        { piece: piece % 2000, pieces: (piece % 2000) + 1, state: new Uint8Array(32) },
        this.#below(300_000),
      );
    return encodeControlFrame(this.#pick(frames));
  }

  /** Mostly broken somewhere: bits, bytes, ends, extremes, the rest of another message. */
  #mutated(bytes: Uint8Array): Uint8Array {
    const made = Uint8Array.from(bytes);
    const chance = this.#random();
    if (this.#before.length < 500) this.#before.push(made);
    else this.#before[this.#below(500)] = made;
    if (chance < 0.2 || made.length === 0) return made;
    if (chance < 0.45) {
      for (let i = 0; i < 1 + this.#below(3); i++) {
        const at = this.#below(made.length);
        made[at] = (made[at] as number) ^ (1 << this.#below(8));
      }
      return made;
    }
    if (chance < 0.6) return made.subarray(0, this.#below(made.length));
    if (chance < 0.75) {
      const at = this.#below(made.length);
      for (let i = at; i < Math.min(made.length, at + 6); i++) made[i] = this.#random() < 0.5 ? 255 : 0;
      return made;
    }
    if (chance < 0.9) {
      const other = this.#pick(this.#before);
      return Buffer.concat([
        made.subarray(0, this.#below(made.length)),
        other.subarray(this.#below(other.length)),
      ]).subarray(0, 16_000);
    }
    return this.#pick(this.#before);
  }

  #extreme(): number {
    return this.#pick(EXTREMES);
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }
}

/** Resident memory of a process that nothing shares, in bytes. */
export function residentBytes(daemon: Daemon): number {
  const text = readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
}
