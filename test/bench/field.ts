/**
 * V-FIELD in figures: `node test/bench/field.ts [scale] [crowd] [churn] [lies] [NODES …] [RATEmbit]` writes
 * build/bench/field.json; what is not named keeps its figures of the run before. Needs root: links are shaped in network
 * namespaces. Fifty nodes at the usual 20 Mbit/s need more than two processors; slower links show what the field itself
 * can do.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { simulateCrowd } from './field/crowd.ts';
import { SHAPE_20_MBIT } from './field/lab.ts';
import { RIVALS, runRival } from './field/rivals.ts';
import { type RunResult, runField, VIVER } from './field/runs.ts';
import { simulateScale } from './field/scale.ts';

const IMAGE_BYTES = 48 << 20;
/** Share of a link that is payload: 1448 bytes of each 1514 on the wire, as tbf counts. */
const GOODPUT = 0.945;
/** From so many nodes on, of those whose server sends everything only so many seconds are looked at. */
const WINDOW_FROM = 4;
const WINDOW_SECONDS = 15;
/** BitTorrent is compared up to there. */
const ARIA2_MOST = 10;

const words = process.argv.slice(2);
const asked = words.filter((word) => /^[a-z]/.test(word));
const counts = words.filter((word) => /^\d+$/.test(word)).map(Number);
const nodeCounts = counts.length > 0 ? counts : [1, 4, 10, 30, 50];
const mbit = Number(words.find((word) => /^\d+mbit$/.test(word))?.replace('mbit', '') ?? SHAPE_20_MBIT.mbit);
const shape = { ...SHAPE_20_MBIT, mbit };
const isAsked = (part: string): boolean => asked.length === 0 || asked.includes(part);

const file = join(import.meta.dirname, '../../build/bench/field.json');
mkdirSync(join(file, '..'), { recursive: true });
const report: Record<string, unknown> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};

function keep(part: string, figures: Record<string, unknown>): void {
  const old = (report[part] ?? {}) as Record<string, unknown>;
  report[part] = { ...old, ...figures };
  report.machine = { cpus: cpus().length, loadBefore: load };
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(part, JSON.stringify(figures));
}

const load = loadavg().map((each) => Math.round(each * 100) / 100);
const round = (value: number): number => Math.round(value * 1000) / 1000;

/** Seconds that the last node needs at least: the holder's link, a node's own, and all bytes over all links. */
function fluidLimit(nodes: number, size: number): number {
  const rate = ((mbit * 1e6) / 8) * GOODPUT;
  return (size / rate) * Math.max(1, nodes / (nodes + 1));
}

function figures(run: RunResult, size: number): Record<string, unknown> {
  const { nodes, lastSeconds, medianSeconds, holderImages, cpuSeconds, peakMb, othersShare } = run;
  return {
    lastSeconds: round(lastSeconds),
    medianSeconds: round(medianSeconds),
    overLimit: round(lastSeconds / fluidLimit(nodes, size)),
    aggregateMbPerS: round((nodes * size) / 1e6 / lastSeconds),
    holderImages: round(holderImages),
    cpuSecondsPerNode: round(cpuSeconds / (nodes + 1)),
    peakMb: round(peakMb),
    ...(othersShare === undefined ? {} : { othersShare: round(othersShare) }),
  };
}

if (isAsked('scale')) {
  setFlagsFromString('--expose-gc');
  globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
  for (const nodes of counts.some((count) => count >= 1000) ? counts : [1000, 10_000]) {
    keep('scale', { [nodes]: simulateScale(nodes) });
  }
}

const directory = mkdtempSync(join(tmpdir(), 'viver-bench-field-'));
try {
  if (isAsked('crowd') || isAsked('churn') || isAsked('lies')) {
    const image = join(directory, 'image.sqfs');
    mkdirSync(join(directory, 'tree'));
    writeFileSync(join(directory, 'tree/random'), randomBytes(IMAGE_BYTES - (16 << 10)));
    execFileSync('mksquashfs', [join(directory, 'tree'), image, '-no-progress', '-quiet', '-noD'], { stdio: 'ignore' });
    // As it is read from a disk, not as it was just written: a kernel maps what lies in its cache in large pieces whole.
    execFileSync('dd', [`of=${VIVER}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);
    const made = execFileSync(VIVER, ['image', 'index', image, '--json'], { encoding: 'utf8' });
    const { id, size } = JSON.parse(made) as { id: string; size: number };
    const sha256 = createHash('sha256').update(readFileSync(image).subarray(0, size)).digest('hex');
    for (const nodes of isAsked('crowd') ? nodeCounts : []) {
      const run = await runField({ image, id, nodes, shape });
      const figure: Record<string, unknown> = { fluidLimitSeconds: round(fluidLimit(nodes, size)) };
      figure.viver = figures(run, size);
      if (mbit === SHAPE_20_MBIT.mbit) {
        const model = simulateCrowd(nodes);
        figure.simulated = { overLimit: round(model.ratio), holderImages: round(model.holderImages) };
      }
      for (const rival of RIVALS) {
        if (rival === 'aria2' && nodes > ARIA2_MOST) continue;
        const window = rival !== 'aria2' && nodes >= WINDOW_FROM ? { windowSeconds: WINDOW_SECONDS } : {};
        figure[rival] = figures(await runRival(rival, { image, nodes, shape, ...window }), size);
      }
      keep(mbit === SHAPE_20_MBIT.mbit ? 'crowd' : `crowdAt${mbit}Mbit`, { [nodes]: figure });
    }
    const some = Math.min(20, nodeCounts.at(-1) ?? 20);
    if (isAsked('churn')) {
      const calm = await runField({ image, id, nodes: some, shape, sha256 });
      const atSeconds = calm.lastSeconds / 2;
      const half = { atSeconds, killed: some >> 1, holderLeaves: false };
      const most = { atSeconds, killed: Math.floor(some * 0.9), holderLeaves: true };
      const halved = await runField({ image, id, nodes: some, shape, sha256, blow: half });
      const bereft = await runField({ image, id, nodes: some, shape, sha256, blow: most });
      keep('churn', {
        nodes: some,
        undisturbedSeconds: round(calm.lastSeconds),
        halfKilled: { lastSeconds: round(halved.lastSeconds), times: round(halved.lastSeconds / calm.lastSeconds) },
        nineInTenKilledAndHolderLeft: { lastSeconds: round(bereft.lastSeconds) },
      });
    }
    if (isAsked('lies')) {
      const nodes = Math.min(8, some);
      const liars = Math.ceil(nodes / 4);
      const calm = await runField({ image, id, nodes, shape, sha256 });
      const run = await runField({ image, id, nodes, shape, sha256, liars });
      keep('lies', {
        nodes,
        liars,
        undisturbedSeconds: round(calm.lastSeconds),
        lastSeconds: round(run.lastSeconds),
        times: round(run.lastSeconds / calm.lastSeconds),
      });
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
