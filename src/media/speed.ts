import { openDirect } from '../linux/block/block.ts';
import type { ImageCandidate } from './candidate.ts';
import type { MeasuredCandidate } from './choose.ts';

export interface SpeedOptions {
  /** The measurement ends after this time, unless nothing at all has been read: then with the first piece. */
  readonly budgetMs?: number;
  /** Bytes read of each image at most. */
  readonly sampleBytes?: number;
  /** Opens an image for reads past the page cache. */
  readonly open?: (path: string) => Promise<SampleFile>;
  /** Milliseconds from any start. */
  readonly now?: () => number;
}

export interface SampleFile {
  read(offset: number, length: number): Promise<{ readonly length: number }>;
  close(): Promise<void>;
}

const BUDGET_MS = 400;
/** When nothing has been read within the budget (all media are slow, or the machine is busy), it is so often as long. */
const LONGEST_BUDGETS = 5;
const SAMPLE_BYTES = 8 * 1024 * 1024;
/** Small enough that a slow stick completes some within the budget; each further piece is twice as long. */
const PIECE_BYTES = 256 * 1024;

/**
 * The others get so much longer than the first to complete its sample: what is not done by then is slower by more than
 * chooseMedium regards as equal.
 */
const LEADER_FACTOR = 1.35;

/** Within the image, where nothing has been read yet: behind the superblock and before the tables. */
function sampleStart(sizeBytes: number, sampleBytes: number): number {
  const middle = Math.max(0, Math.floor((sizeBytes - sampleBytes) / 3));
  return middle - (middle % PIECE_BYTES);
}

interface Sample {
  readonly candidate: ImageCandidate;
  bytes: number;
  /** When the last piece came, in milliseconds since the image was opened. */
  elapsedMs: number;
  failure?: string;
  done: boolean;
}

/**
 * Reads a few megabytes of each image past the page cache, on all disks at once, and says how fast each was. Several
 * candidates on one disk share one sample. A disk that hangs or fails costs no more than the budget, as long as another
 * one gives something.
 */
export async function measureSpeeds(
  candidates: readonly ImageCandidate[],
  options: SpeedOptions = {},
): Promise<readonly MeasuredCandidate[]> {
  const disks = [...Map.groupBy(candidates, (candidate) => candidate.device.disk).values()];
  const samples = disks.flatMap((ofDisk): Sample[] => {
    // the largest image: the sample is the longest, and the least likely to lie in a drive's own cache
    const [candidate] = [...ofDisk].sort((left, right) => right.squashfs.sizeBytes - left.squashfs.sizeBytes);
    return candidate === undefined ? [] : [{ candidate, bytes: 0, elapsedMs: 0, done: false }];
  });
  await race(samples, options);
  return candidates.map((candidate) => {
    const sample = samples.find((row) => row.candidate.device.disk === candidate.device.disk);
    return { candidate, ...judge(sample) };
  });
}

async function race(samples: readonly Sample[], options: SpeedOptions): Promise<void> {
  const { budgetMs = BUDGET_MS, now = () => performance.now() } = options;
  const begun = now();
  const over = Promise.withResolvers<void>();
  const stop = new AbortController();
  let isOverdue = false;
  const spent = (): void => {
    isOverdue = true;
    if (samples.some(({ bytes }) => bytes > 0)) over.resolve();
    else timer = setTimeout(over.resolve, budgetMs * (LONGEST_BUDGETS - 1));
  };
  let timer = setTimeout(spent, budgetMs);
  let leads = true;
  const all = samples.map(async (sample) => {
    await readSample(sample, options, stop.signal, () => isOverdue && over.resolve());
    if (!leads || sample.failure !== undefined || stop.signal.aborted) return;
    leads = false;
    clearTimeout(timer);
    const untilMs = Math.min(budgetMs, sample.elapsedMs * LEADER_FACTOR);
    timer = setTimeout(over.resolve, Math.max(0, untilMs - (now() - begun)));
  });
  await Promise.race([Promise.all(all), over.promise]);
  clearTimeout(timer);
  stop.abort();
}

async function readSample(
  sample: Sample,
  options: SpeedOptions,
  signal: AbortSignal,
  onPiece: () => void,
): Promise<void> {
  const { sizeBytes } = sample.candidate.squashfs;
  const { sampleBytes = SAMPLE_BYTES, open = openDirect, now = () => performance.now() } = options;
  const start = sampleStart(sizeBytes, sampleBytes);
  const wanted = Math.min(sampleBytes, sizeBytes - start);
  try {
    const file = await open(sample.candidate.path);
    const begun = now();
    try {
      for (let size = PIECE_BYTES; sample.bytes < wanted && !signal.aborted; size *= 2) {
        const piece = await file.read(start + sample.bytes, Math.min(size, wanted - sample.bytes));
        if (piece.length === 0) throw new Error(`ends at byte ${start + sample.bytes}`);
        if (signal.aborted) return;
        sample.bytes += piece.length;
        sample.elapsedMs = now() - begun;
        onPiece();
      }
      sample.done = true;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!signal.aborted) sample.failure = error instanceof Error ? error.message : String(error);
  }
}

function judge(sample: Sample | undefined): Pick<MeasuredCandidate, 'bytesPerSecond' | 'measured'> {
  if (sample?.failure !== undefined) return { bytesPerSecond: undefined, measured: sample.failure };
  if (sample === undefined || sample.bytes === 0) {
    return { bytesPerSecond: undefined, measured: 'nothing read in time' };
  }
  const bytesPerSecond = sample.bytes / (Math.max(sample.elapsedMs, 0.1) / 1000);
  return { bytesPerSecond, measured: `${(bytesPerSecond / 1e6).toPrecision(3)} MB/s` };
}
