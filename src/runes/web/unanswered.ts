/** Repetitions of one question: iPXE asks for routers at 0, 0.25, 0.75, 1.75 … s, other systems every 4 s. */
const SAME_QUESTION_MS = 10_000;
/** Anybody may ask under any name. */
const MOST_ASKERS = 256;

/**
 * Who asks again because nobody answered. Pure. Routers take up to half a second (MAX_RA_DELAY_TIME, RFC 4861 section
 * 10) and may answer where only the asker hears it: that nobody did is known by the asker's next question.
 */
export class Unanswered {
  readonly #asked = new Map<string, { readonly times: number; readonly atMs: number }>();

  /** How often this asker has asked now, the first time counted. */
  ask(asker: string, nowMs: number): number {
    const last = this.#asked.get(asker);
    const times = last !== undefined && nowMs - last.atMs <= SAME_QUESTION_MS ? last.times + 1 : 1;
    this.#asked.delete(asker); // to the end: the first one in the map is the one longest silent
    this.#asked.set(asker, { times, atMs: nowMs });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > MOST_ASKERS && oldest !== undefined) this.#asked.delete(oldest);
    return times;
  }
}
