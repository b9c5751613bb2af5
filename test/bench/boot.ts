/**
 * VIVER beside Debian's live-boot: the same kernel, image file, medium and machine, in turns. From the kernel's own time
 * stamp of "Run /init as init process" to the one that systemd takes at the start of its main(), before it does anything
 * (UserspaceTimestamp, systemd-analyze(1)). Its first line in the kernel log, which comes later by what systemd itself
 * does until then, is recorded as well. Writes build/bench/boot.json with every sample.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accelerator } from '../vm/harness/accelerator.ts';
import { initrdTree } from '../vm/harness/direct.ts';
import { made, madeDisk } from '../vm/harness/disks.ts';
import { builtImage, filesOf } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF } from '../vm/harness/login.ts';
import { BUILD, product } from '../vm/harness/products.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { Disk, Step } from '../vm/harness/scenario.ts';
import { initrdParts } from './boot/initrd-parts.ts';

const CPUS = 2;
const RUNS = Number(process.env.VIVER_BENCH_RUNS ?? '5');
/** The mark: VIVER's time from /init to the image's init over live-boot's. */
const RATIO_WANTED = 0.2;
/** The same of what a booted machine has less than one that live-boot booted, in MiB. */
const LOST_WANTED_MIB = 150;

interface Loader {
  readonly name: 'viver' | 'live-boot';
  readonly initrd: string;
  readonly words: string;
}

interface Sample {
  /** Seconds since kernel start, by printk. */
  readonly initSeconds: number;
  readonly imageInitSeconds: number;
  /** Seconds since kernel start, by printk. */
  readonly systemdLineSeconds: number;
  readonly initToImageInitSeconds: number;
  readonly initToSystemdLineSeconds: number;
  /** From power-on to the login prompt, by the host's clock. */
  readonly loginSeconds: number;
  readonly memTotalKiB: number;
  readonly memAvailableKiB: number;
  /** What /run/initramfs holds, 0 where there is none. */
  readonly keptInitramfsKiB: number;
  /** Resident memory of processes whose name begins with @: storage daemons that outlive the switch. */
  readonly daemonsKiB: number;
}

const MEASURE: readonly Step[] = [
  { run: "dmesg | grep -E 'Run /init as init process|systemd\\[1\\]: systemd .* running in system mode'" },
  { run: 'systemctl show --property=UserspaceTimestampMonotonic' },
  // Settled: what the boot itself still does in the background is not VIVER's nor live-boot's.
  { run: 'systemctl is-system-running --wait; true', within: 90 },
  { run: 'sync; echo 3 > /proc/sys/vm/drop_caches; sleep 1; cat /proc/meminfo' },
  { run: 'du -skx /run/initramfs 2>/dev/null || echo 0' },
  { run: "for p in /proc/[0-9]*; do grep -qa '^@' $p/cmdline && grep VmRSS $p/status; done; true" },
];

const numberAfter = (text: string, pattern: RegExp): number => {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`bench: ${pattern} is not in: ${text.slice(0, 400)}`);
  return Number(found);
};

async function boot(loader: Loader, run: number, disk: Omit<Disk, 'name'>): Promise<Sample> {
  const outcome = await runScenario(
    {
      name: `bench-boot-${disk.bus}-${loader.name}-${run}`,
      cpus: CPUS,
      kernel: {
        kernel: product('vmlinuz'),
        initrd: loader.initrd,
        commandLine: `console=ttyS0 log_buf_len=4M ${loader.words}`,
      },
      disks: [{ name: 'medium', ...disk }],
      steps: [...LOGIN, ...MEASURE, ...POWER_OFF],
    },
    { slots: 'all' },
  );
  const [marks = '', started = '', , memory = '', kept = '', daemons = ''] = outcome.results.slice(LOGIN.length);
  const initSeconds = numberAfter(marks, /\[\s*([\d.]+)\] Run \/init/);
  const systemdLineSeconds = numberAfter(marks, /\[\s*([\d.]+)\] systemd\[1\]: systemd/);
  const imageInitSeconds = numberAfter(started, /UserspaceTimestampMonotonic=(\d+)/) / 1e6;
  return {
    initSeconds,
    imageInitSeconds,
    systemdLineSeconds,
    initToSystemdLineSeconds: Number((systemdLineSeconds - initSeconds).toFixed(6)),
    initToImageInitSeconds: Number((imageInitSeconds - initSeconds).toFixed(6)),
    loginSeconds: (outcome.timings[0] ?? 0) / 1000,
    memTotalKiB: numberAfter(memory, /MemTotal:\s+(\d+)/),
    memAvailableKiB: numberAfter(memory, /MemAvailable:\s+(\d+)/),
    keptInitramfsKiB: numberAfter(kept, /(\d+)/),
    daemonsKiB: [...daemons.matchAll(/VmRSS:\s+(\d+)/g)].reduce((sum, [, size]) => sum + Number(size), 0),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return ((sorted[middle] ?? 0) + (sorted[(sorted.length - 1) >> 1] ?? 0)) / 2;
}

const medianOf = (samples: readonly Sample[], key: keyof Sample) => median(samples.map((sample) => sample[key]));

/** Runs both loaders in turns on one medium. */
async function compare(loaders: readonly Loader[], disk: Omit<Disk, 'name'>) {
  const samples: Record<string, Sample[]> = {};
  for (let run = 1; run <= RUNS; run++) {
    for (const loader of loaders) {
      const sample = await boot(loader, run, disk);
      samples[loader.name] = [...(samples[loader.name] ?? []), sample];
      console.log(`${disk.bus} ${loader.name} ${run}: /init to init ${sample.initToImageInitSeconds.toFixed(2)} s`);
    }
  }
  const { viver = [], 'live-boot': liveBoot = [] } = samples;
  const medians = {
    viverSeconds: medianOf(viver, 'initToImageInitSeconds'),
    liveBootSeconds: medianOf(liveBoot, 'initToImageInitSeconds'),
  };
  return {
    bus: disk.bus,
    ...medians,
    ratio: medians.viverSeconds / medians.liveBootSeconds,
    ratioToSystemdLine: medianOf(viver, 'initToSystemdLineSeconds') / medianOf(liveBoot, 'initToSystemdLineSeconds'),
    ratioWanted: RATIO_WANTED,
    loginSeconds: { viver: medianOf(viver, 'loginSeconds'), liveBoot: medianOf(liveBoot, 'loginSeconds') },
    memory: {
      memTotalKiB: { viver: medianOf(viver, 'memTotalKiB'), liveBoot: medianOf(liveBoot, 'memTotalKiB') },
      memAvailableKiB: { viver: medianOf(viver, 'memAvailableKiB'), liveBoot: medianOf(liveBoot, 'memAvailableKiB') },
      lostWantedKiB: LOST_WANTED_MIB * 1024,
      lostToViverKiB: medianOf(liveBoot, 'memAvailableKiB') - medianOf(viver, 'memAvailableKiB'),
      keptInitramfsKiB: medianOf(viver, 'keptInitramfsKiB'),
      daemonsKiB: medianOf(viver, 'daemonsKiB'),
    },
    samples,
  };
}

const debian = await builtImage('debian');
const version = readFileSync(product('kernel-version'), 'utf8').trim();
const script = join(import.meta.dirname, 'boot/live-boot-initrd.sh');
const liveBootInitrd = await made(
  'live-boot.initrd',
  { description: version, files: [script] },
  async (target) => void execFileSync(script, [version, target], { stdio: 'inherit' }),
);
// One file under both names: mkfs.ext4 and xorriso keep the hard link.
const files = { ...filesOf(debian), '/live/filesystem.squashfs': debian.sqfs };
const ext4 = await madeDisk('bench-ext4', { table: 'gpt', partitions: [{ fileSystem: 'ext4', files }] });
const iso = await madeDisk('bench-iso', { table: 'none', partitions: [{ fileSystem: 'iso9660', files }] });
const loaders: readonly Loader[] = [
  { name: 'viver', initrd: product('viverrd.zst'), words: '' },
  { name: 'live-boot', initrd: liveBootInitrd, words: 'boot=live' },
];
const media = [];
for (const disk of [
  { bus: 'virtio', file: ext4 },
  { bus: 'sata-cd', file: iso },
] as const) {
  media.push(await compare(loaders, disk));
}

mkdirSync(join(BUILD, 'bench'), { recursive: true });
const target = join(BUILD, 'bench/boot.json');
const initrd = initrdParts(initrdTree(), product('viverrd.zst'));
const report = {
  kernel: version,
  accelerator: await accelerator(),
  cpu: 'qemu64',
  cpus: CPUS,
  runs: RUNS,
  media,
  initrd,
};
writeFileSync(target, `${JSON.stringify(report, undefined, 2)}\n`);
for (const medium of media) {
  console.log(
    `${medium.bus}: VIVER ${medium.viverSeconds.toFixed(2)} s, live-boot ${medium.liveBootSeconds.toFixed(2)} s, ` +
      `ratio ${medium.ratio.toFixed(3)} (wanted: at most ${RATIO_WANTED}; to systemd's first line ` +
      `${medium.ratioToSystemdLine.toFixed(3)}); ` +
      `memory lost to VIVER ${(medium.memory.lostToViverKiB / 1024).toFixed(0)} MiB (wanted: at most ${LOST_WANTED_MIB})`,
  );
}
console.log(`viverrd.zst: ${(initrd.packedBytes / 1e6).toFixed(1)} MB; figures in ${target}`);
