import type { Address } from './address.ts';
import { compareRecords, type NodeId, type NodeRecord } from './record.ts';

/** A question not answered by then was not. */
const ANSWER_MS = 500;
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
  readonly #questions = new Map<number, Question>();
  readonly #silences = new Map<NodeId, number>();
  readonly #suspects = new Map<NodeId, Suspect>();
  #nextNumber = 1;

  /** Gives a question its number. */
  asked(question: Question): number {
    const number = this.#nextNumber;
    this.#nextNumber = (this.#nextNumber % 0xffffffff) + 1;
    this.#questions.set(number, question);
    return number;
  }

  /** The question that an answer is to; undefined when nobody asked, or too long ago. */
  answered(number: number, by: NodeId, now: number): Question | undefined {
    const question = this.#questions.get(number);
    if (question === undefined) return undefined;
    this.#questions.delete(number);
    this.#silences.delete(by);
    const rtt = now - question.at;
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
  heard(node: NodeId): void {
    this.#silences.delete(node);
    this.#suspects.delete(node);
  }

  forget(node: NodeId): void {
    this.#suspects.delete(node);
    this.#silences.delete(node);
    this.rtts.delete(node);
  }

  /** Nodes that owe an answer since too long. */
  silent(now: number): NodeId[] {
    const nodes: NodeId[] = [];
    for (const [number, { node, at, isProbe }] of this.#questions) {
      if (now < at + ANSWER_MS) continue;
      this.#questions.delete(number);
      if (isProbe) nodes.push(node);
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
    for (const { at } of this.#questions.values()) next = Math.min(next, at + ANSWER_MS);
    for (const { until } of this.#suspects.values()) next = Math.min(next, until);
    return next;
  }
}
