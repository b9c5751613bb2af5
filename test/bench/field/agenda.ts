interface Timed {
  readonly at: number;
  readonly serial: number;
  readonly run: () => void;
}

/** Events by time; a binary heap. */
export class Agenda {
  readonly #heap: Timed[] = [];
  #serial = 0;

  get length(): number {
    return this.#heap.length;
  }

  add(at: number, run: () => void): void {
    const item = { at, serial: this.#serial++, run };
    const heap = this.#heap;
    let i = heap.push(item) - 1;
    for (; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (before(heap[parent] as Timed, item)) break;
      heap[i] = heap[parent] as Timed;
      i = parent;
    }
    heap[i] = item;
  }

  peek(): Timed | undefined {
    return this.#heap[0];
  }

  pop(): Timed | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Timed, heap[child] as Timed)) child++;
      if (before(last, heap[child] as Timed)) break;
      heap[i] = heap[child] as Timed;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.at < b.at || (a.at === b.at && a.serial < b.serial);
}
