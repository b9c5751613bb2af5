/**
 * The first stage (initrd/first-stage.init): a small initrd by which Linux fetches the whole one with its own driver, from
 * several machines at once, and checks it. With Secure Boot on GRUB loads nothing else. A machine that loads by iPXE gets
 * it where its loader is so slow that it is up sooner that way. Pure.
 */

/** Machines that give the initrd at the same time: more make it no faster, and each is named on the command line. */
const MOST_GIVERS = 4;

/** What the first stage is to fetch, and from whom. */
export interface WholeInitrd {
  /** In hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Machines that give it, `ADDRESS:PORT`. */
  readonly from: readonly string[];
}

/** @param givers `http://ADDRESS:PORT` of the machines that have it, the server first */
export function initrdFrom(
  initrd: { readonly sha256: string; readonly sizeBytes: number },
  givers: readonly string[],
): WholeInitrd {
  const { sha256, sizeBytes } = initrd;
  return { sha256, sizeBytes, from: givers.slice(0, MOST_GIVERS).map((giver) => giver.replace('http://', '')) };
}

/** The word of the kernel's command line by which the first stage knows; /init passes it over. */
export function firstStageWord({ sha256, sizeBytes, from }: WholeInitrd): string {
  return `viver.first=${sha256}/${sizeBytes}@${from.join(',')}`;
}

/** Sizes in bytes of what a loader loads. */
export interface LoadSizes {
  readonly kernel: number;
  readonly initrd: number;
  readonly firstStage: number;
}

/**
 * So much has to be saved in loading. What the first stage costs beside its load (drivers, an address, the initrd by Linux,
 * and unpacking it by a program where the kernel does it quicker) is about half of that on an emulated processor.
 */
const WORTH_MS = 20_000;
/** Anybody can ask. */
const MOST = 1024;

/** How quickly each machine loaded its kernel, and what came of the first stage. By the address that it loads from. */
export class SlowLoads {
  /** When each asked for its kernel. */
  readonly #kernels = new Map<string, number>();
  /** They got the first stage and nothing was heard of it since. */
  readonly #silent = new Set<string>();

  /** Entries kept. */
  get remembered(): number {
    return this.#kernels.size + this.#silent.size;
  }

  kernelAsked(address: string, nowMs: number): void {
    this.#kernels.delete(address); // to the end: the first in the map asked longest ago
    this.#kernels.set(address, nowMs);
    const [oldest] = this.#kernels.keys();
    if (this.#kernels.size > MOST && oldest !== undefined) this.#kernels.delete(oldest);
  }

  /**
   * Whether a machine that asks for its initrd now is to get the first stage: the kernel came so slowly that the initrd
   * would take longer by more than what it costs. Who got it and comes again without having fetched anything has a card
   * that the first stage does not drive, perhaps, or no address: not a second time.
   */
  isFor(address: string, { kernel, initrd, firstStage }: LoadSizes, nowMs: number): boolean {
    const askedMs = this.#kernels.get(address);
    if (askedMs === undefined || kernel <= 0 || this.#silent.has(address)) return false;
    const savedMs = ((nowMs - askedMs) / kernel) * (initrd - firstStage);
    if (savedMs <= WORTH_MS) return false;
    const [oldest] = this.#silent;
    if (this.#silent.size >= MOST && oldest !== undefined) this.#silent.delete(oldest);
    this.#silent.add(address);
    return true;
  }

  /** A first stage there fetches the initrd. */
  fetches(address: string): void {
    this.#silent.delete(address);
  }
}
