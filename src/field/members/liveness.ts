import type { Address } from '../wire/address.ts';
import { compareRecords, type NodeId, type NodeRecord } from '../wire/record.ts';

/** How long an answer is waited for: several times what is usual, within bounds. On a busy machine all is late. */
const ANSWER_TIMES = 4;
const ANSWER_LEAST_MS = 500;
const ANSWER_MOST_MS = 3000;
/** A late answer still tells how late answers are. */
const FORGET_MS = 6000;
/** Questions without answer before a node is suspected, and the time it then has to say that it is alive. */
const SILENCES = 3;
const SUSPECT_MS = 4000;

export interface Question {
  readonly node: NodeId;
  readonly address: Address;
  readonly at: number;
  /** No answer speaks against the node's life. */
  readonly isProbe: boolean;
}

interface Suspect {
  readonly record: NodeRecord;
  readonly until: number;
}

/** Who answers and who does not: round trip times, suspects. */
export class Liveness {
  readonly rtts = new Map<NodeId, number>();
  /** The shortest one to each, which no queue on the way has made longer. */
  readonly leastRtts = new Map<NodeId, number>();
  leastRtt = Number.POSITIVE_INFINITY;
  readonly #questions = new Map<number, Question>();
  /** Those of them whose time is over. */
  readonly #overdue = new Set<number>();
  readonly #heardAt = new Map<NodeId, number>();
  #usualRtt = 0;
  readonly #silences = new Map<NodeId, number>();
  readonly #suspects = new Map<NodeId, Suspect>();
  readonly #random: () => number;

  /** @param random numbers of questions are not to be guessed: who answers has been where the question went */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Gives a question its number. */
  asked(question: Question): number {
    const number = Math.floor(this.#random() * 2 ** 32);
    this.#questions.set(number, question);
    for (const [old, { at }] of this.#questions) {
      if (question.at - at < FORGET_MS) break;
      this.#questions.delete(old);
      this.#overdue.delete(old);
    }
    return number;
  }

  /** Whether that is the number of a question that waits for its answer. */
  isAsked(number: number): boolean {
    return this.#questions.has(number);
  }

  /** The question that an answer is to; undefined when nobody asked, or too long ago. */
  answered(number: number, by: NodeId, now: number): Question | undefined {
    const question = this.#questions.get(number);
    if (question === undefined) return undefined;
    this.#questions.delete(number);
    this.#overdue.delete(number);
    this.#silences.delete(by);
    const rtt = now - question.at;
    this.#usualRtt = 0.8 * this.#usualRtt + 0.2 * rtt;
    this.leastRtts.set(by, Math.min(rtt, this.leastRtts.get(by) ?? rtt));
    this.leastRtt = Math.min(this.leastRtt, rtt);
    const known = this.rtts.get(by);
    this.rtts.set(by, known === undefined ? rtt : known * 0.8 + rtt * 0.2);
    return question;
  }

  isSuspect(node: NodeId): boolean {
    return this.#suspects.has(node);
  }

  /** A node said something newer than what it was suspected on, or is gone. */
  clear(node: NodeId, record?: NodeRecord): void {
    const suspect = this.#suspects.get(node);
    if (suspect !== undefined && (record === undefined || compareRecords(record, suspect.record) > 0)) {
      this.#suspects.delete(node);
    }
  }

  /** Anything came from a node's own address, however late: it is alive. */
  heard(node: NodeId, now: number): void {
    this.#heardAt.set(node, now);
    this.#silences.delete(node);
    this.#suspects.delete(node);
  }

  forget(node: NodeId): void {
    this.#suspects.delete(node);
    this.#silences.delete(node);
    this.#heardAt.delete(node);
    this.rtts.delete(node);
    this.leastRtts.delete(node);
  }

  /** Nodes that owe an answer since too long. */
  silent(now: number): NodeId[] {
    const nodes: NodeId[] = [];
    const patience = this.#patience();
    for (const [number, { node, at, isProbe }] of this.#questions) {
      if (now < at + patience || this.#overdue.has(number)) continue;
      this.#overdue.add(number);
      // Whatever came from it since shows that it lives.
      if (isProbe && (this.#heardAt.get(node) ?? Number.NEGATIVE_INFINITY) < at) nodes.push(node);
    }
    return nodes;
  }

  /** Counts a silence; true when it is one too many and the node is suspected from now on. */
  suspect(record: NodeRecord, now: number): boolean {
    const silences = (this.#silences.get(record.node) ?? 0) + 1;
    this.#silences.set(record.node, silences);
    if (silences < SILENCES) return false;
    this.#silences.delete(record.node);
    this.#suspects.set(record.node, { record, until: now + SUSPECT_MS });
    return true;
  }

  /** Suspects whose time is over, with what they were suspected on. */
  condemned(now: number): NodeRecord[] {
    const records: NodeRecord[] = [];
    for (const [node, { record, until }] of this.#suspects) {
      if (now < until) continue;
      this.#suspects.delete(node);
      records.push(record);
    }
    return records;
  }

  nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    const patience = this.#patience();
    for (const [number, { at }] of this.#questions) {
      if (!this.#overdue.has(number)) next = Math.min(next, at + patience);
    }
    for (const { until } of this.#suspects.values()) next = Math.min(next, until);
    return next;
  }

  #patience(): number {
    return Math.min(Math.max(ANSWER_LEAST_MS, ANSWER_TIMES * this.#usualRtt), ANSWER_MOST_MS);
  }
}
