import type { Rooms } from '../../members/rooms.ts';
import type { VTable } from '../../members/v-table.ts';
import { ChunkSet } from '../../wire/chunk-set.ts';
import { mix, type NodeId, type NodeRecord, STATE_LEAVING } from '../../wire/record.ts';
import { regionCount, regionOf, regionRange } from '../../wire/regions.ts';
import { LEVEL, levelOf } from '../../wire/summary.ts';
import { scoreOf } from '../keeping/duty.ts';
import type { Source } from './source.ts';

/** How often the table is looked through for who is near. */
const LOOK_MS = 250;
/** Members of a room that bring something into it; more would cost more to work out than they bring. */
const IMPORTERS = 64;
/** After so long without any chunk each takes from afar whatever it lacks. */
const STALLED_MS = 2000;

export interface ImportLinks {
  readonly node: NodeId;
  readonly table: VTable;
  readonly rooms: Rooms;
  /** Of the image, what this node keeps, in 255 parts. */
  readonly share: number;
  /** Chunks in the image. */
  readonly chunks: number;
}

/**
 * Who of a room brings which regions of the image into it. Where the field has more rooms than one, the links between
 * them are slow, perhaps, and everybody's: each region is fetched from afar by one of the room, the same for all who
 * have the same table (rendezvous hashing), and by all others from there.
 */
export class Imports {
  /** The field has other rooms, and somebody is in this one with us. */
  isOn = false;
  /** Somebody near holds all: nothing is fetched from afar. */
  #isAllHere = false;
  readonly #links: ImportLinks;
  readonly #mask: ChunkSet;
  readonly #importers: (NodeId | undefined)[];
  readonly #far = new Set<NodeId>();
  #near: readonly Source[] = [];
  #lookAt = 0;
  #arrivedAt = 0;
  #isStalled = false;
  #seen = '';

  constructor(links: ImportLinks) {
    this.#links = links;
    this.#mask = new ChunkSet(links.chunks);
    this.#importers = new Array<NodeId | undefined>(regionCount(links.chunks)).fill(undefined);
  }

  /** Whether anything is to be fetched from other rooms. */
  get isWanted(): boolean {
    return this.#far.size > 0 && (!this.#isAllHere || this.#isStalled);
  }

  isFar(node: NodeId): boolean {
    return this.#far.has(node);
  }

  /** Who brings a chunk into the room: a node near us, or undefined when it is we. */
  importerOf(chunk: number): NodeId | undefined {
    return this.isOn && !this.#isStalled && !this.#isAllHere
      ? this.#importers[regionOf(chunk, this.#links.chunks)]
      : undefined;
  }

  /** Whether a source may be asked for a chunk that a read waits for, which nobody near has. */
  mayAsk(source: Source): boolean {
    return !this.isOn || !this.#isAllHere || this.#isStalled || !this.#far.has(source.node);
  }

  /** A chunk came, from whomever. */
  arrived(now: number): void {
    this.#arrivedAt = now;
  }

  /** Of a word of candidates of a source, those that may be asked for there. */
  mayTake(source: Source, index: number, candidates: number): number {
    if (!this.isOn || candidates === 0 || !this.#far.has(source.node)) return candidates;
    let word = candidates;
    if (!this.#isStalled) word &= this.#isAllHere ? 0 : (this.#mask.words[index] as number);
    for (const { has } of this.#near) word &= ~(has.words[index] as number);
    return word;
  }

  /** Looks at who is near, and what they have, when it is time to. */
  look(sources: Iterable<Source>, now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_MS;
    this.#isStalled = now - this.#arrivedAt > STALLED_MS;
    const { node: self, table, rooms, share, chunks } = this.#links;
    this.#far.clear();
    const near: NodeRecord[] = [];
    for (const record of table.rows()) {
      if (record.node === self) continue;
      if (rooms.isNear(record)) near.push(record);
      else this.#far.add(record.node);
    }
    this.isOn = this.#far.size > 0 && near.length > 0;
    this.#isAllHere = near.some(({ state, summary }) => state !== STATE_LEAVING && summary.count === chunks);
    this.#near = [...sources].filter(({ node }) => !this.#far.has(node));
    if (!this.isOn || this.#isAllHere) return;
    const able = near.filter(({ state, summary }) => state !== STATE_LEAVING && summary.share > 0);
    const importers = [
      { node: self, share: Math.max(1, share) },
      ...able.map(({ node, summary }) => ({ node, share: summary.share })),
    ]
      .sort((a, b) => order(a.node) - order(b.node))
      .slice(0, IMPORTERS);
    const seen = importers.map(({ node, share: each }) => `${node}/${each}`).join();
    if (seen !== this.#seen) this.#assign(importers);
    this.#seen = seen;
    this.#mask.clear();
    for (let region = 0; region < this.#importers.length; region++) {
      // What one of the room has whole is got there.
      const isHere = able.some(({ summary }) => levelOf(summary, region) === LEVEL.all);
      if (!isHere && this.#importers[region] === undefined) this.#mask.addRange(regionRange(region, chunks));
    }
  }

  #assign(importers: readonly { readonly node: NodeId; readonly share: number }[]): void {
    for (let region = 0; region < this.#importers.length; region++) {
      let best = -1;
      let importer: NodeId | undefined;
      for (const { node, share } of importers) {
        const score = scoreOf(node, region, share);
        if (score <= best) continue;
        best = score;
        importer = node;
      }
      this.#importers[region] = importer === this.#links.node ? undefined : importer;
    }
  }
}

function order(node: NodeId): number {
  return mix(((node % 2 ** 32) >>> 0) ^ Math.floor(node / 2 ** 32));
}
