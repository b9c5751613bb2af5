import { ChunkSet } from '../field/wire/chunk-set.ts';
import type { ChunkIndex } from '../image/chunk-index.ts';
import type { BootProfile } from '../image/profile/profile.ts';
import { ProfileRecorder } from '../image/profile/recorder.ts';

/** Sees what a boot reads, for as long as it is one: records it, and tells of chunks that are read for the first time. */
export class BootWatch {
  readonly #index: ChunkIndex;
  readonly #recorder: ProfileRecorder;
  readonly #touched: ChunkSet;
  readonly #onFirst: (chunk: number) => void;
  /** The chunk of the last read: most reads lie in the same one. */
  #last = -1;

  constructor(index: ChunkIndex, onFirst: (chunk: number) => void) {
    this.#index = index;
    this.#recorder = new ProfileRecorder(index.id, index.size);
    this.#touched = new ChunkSet(index.count);
    this.#onFirst = onFirst;
  }

  /** @returns false when the boot is over, and nothing more is to be told */
  read(offset: number, end: number): boolean {
    if (!this.#recorder.read(offset, end, performance.now())) return false;
    const isSame = this.#last >= 0 && offset >= this.#index.start(this.#last) && end <= this.#index.end(this.#last);
    if (isSame) return true;
    const last = this.#index.locate(Math.min(end, this.#index.size) - 1);
    for (let chunk = this.#index.locate(offset); chunk <= last; chunk++) {
      if (this.#touched.add(chunk)) this.#onFirst(chunk);
    }
    this.#last = last;
    return true;
  }

  get isOver(): boolean {
    return this.#recorder.isOver(performance.now());
  }

  profile(): BootProfile {
    return this.#recorder.profile();
  }
}
