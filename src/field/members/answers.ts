import type { Action } from '../event.ts';
import type { Address } from '../wire/address.ts';
import { type Datagram, datagramSize, type Sections } from '../wire/datagram.ts';
import type { Kind } from '../wire/protocol.ts';
import type { OwnRecord } from './own-record.ts';
import { hashesOf, SUMMARY_ROWS, wholeScope } from './reconcile.ts';
import type { VTable } from './v-table.ts';

export interface AnswerLinks {
  readonly table: VTable;
  readonly own: OwnRecord;
  readonly cookie: (address: Address) => Uint8Array;
  readonly make: (kind: Kind, sections: Sections) => Datagram;
  readonly send: (kind: Kind, to: Address, sections: Sections, out: Action[]) => void;
}

/** What two nodes compare first: tables with the same sum and the same number of rows are the same. */
export function digestOf(table: VTable): { sum: number; rows: number } {
  return { sum: table.digest(), rows: table.size };
}

/** What somebody who asked is told; an address that may be another's never gets more bytes than came from there. */
export class Answers {
  readonly #links: AnswerLinks;

  constructor(links: AnswerLinks) {
    this.#links = links;
  }

  /** An address that nothing is known of gets a cookie, in less bytes than it sent, and everything else later. */
  challenge(to: Address, size: number, question: number | undefined, out: Action[]): void {
    const { make, cookie } = this.#links;
    const sections: Sections = { cookie: cookie(to), observed: to };
    if (question !== undefined) sections.answer = question;
    const datagram = make('prove', sections);
    if (datagramSize(datagram) <= size) out.push({ kind: 'send', to, datagram });
  }

  /** Answers with ourselves, and, when the tables differ, with what brings them together. */
  answer(from: Address, datagram: Datagram, size: number, isProven: boolean, out: Action[]): void {
    const { table, own, send } = this.#links;
    const digest = digestOf(table);
    const sections: Sections = { records: [own.record()], digest };
    if (datagram.question !== undefined) sections.answer = datagram.question;
    const theirs = datagram.digest;
    const isDifferent = theirs !== undefined && (theirs.sum !== digest.sum || theirs.rows !== digest.rows);
    if (!isProven) {
      this.#answerBriefly(from, sections, size, isDifferent, out);
      return;
    }
    if (isDifferent && table.size <= SUMMARY_ROWS && theirs.rows <= SUMMARY_ROWS * 4) {
      sections.scope = wholeScope();
      sections.hashes = hashesOf(table, sections.scope);
    } else if (isDifferent) {
      // Both would not fit: our own record is one of the rows that will be found to differ.
      sections.records = [];
      sections.buckets = table.buckets;
    }
    send('notify up', from, sections, out);
  }

  #answerBriefly(from: Address, sections: Sections, size: number, isDifferent: boolean, out: Action[]): void {
    const { make } = this.#links;
    if (datagramSize(make('notify up', sections)) > size) sections.records = [];
    const answer = make('notify up', sections);
    const left = size - datagramSize(answer);
    if (left < 0) return;
    out.push({ kind: 'send', to: from, datagram: answer });
    if (isDifferent) this.challenge(from, left, sections.answer, out);
  }
}
