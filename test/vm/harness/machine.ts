import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFileSync, createWriteStream, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { accelerator } from './accelerator.ts';
import { isCd } from './buses.ts';
import { Console, type ConsoleLine } from './console.ts';
import { UEFI_FILES } from './firmware.ts';
import { vmDirectory } from './products.ts';
import { qemuArguments, type Surroundings } from './qemu-arguments.ts';
import { Qmp } from './qmp.ts';
import { type Disk, FORBIDDEN, type Scenario } from './scenario.ts';
import type { Wire } from './wire.ts';

const run = promisify(execFile);

/** At most this many machines (or groups of machines that need each other) at once, over all test workers. */
const SLOTS = 2;
const SLOT_TAKEN = 75;

export interface PowerOnOptions {
  /** The wires its cards name. */
  readonly wires?: Readonly<Record<string, Wire>>;
  /** one: waits for a free slot (default). all: for every slot, to run alone. none: belongs to a group that has some. */
  readonly slots?: 'one' | 'all' | 'none';
  readonly accelerator?: 'tcg' | 'kvm';
  /** Hears each console line as it comes. */
  readonly onLine?: (line: ConsoleLine) => void;
}

/** A running QEMU machine. Disposing it ends QEMU, whatever state it is in. */
export class Machine implements AsyncDisposable {
  readonly scenario: Scenario;
  readonly directory: string;
  readonly console: Console;
  readonly qmp: Qmp;
  /** A console line that must not be, once seen. */
  forbiddenLine: string | undefined;
  /** QEMU's end: its exit code or signal. */
  exit: string | undefined;
  readonly #child: ChildProcess;
  #startedAt = performance.now();
  readonly #ended: Promise<void>;
  #onChange: () => void = () => {};

  constructor(scenario: Scenario, directory: string, child: ChildProcess, onLine: (line: ConsoleLine) => void) {
    this.scenario = scenario;
    this.directory = directory;
    this.#child = child;
    const log = createWriteStream(join(directory, 'console.log'));
    const forbidden = scenario.forbidden ?? FORBIDDEN;
    this.console = new Console((line) => {
      const { atMs, text } = line;
      onLine(line);
      log.write(`${(atMs / 1000).toFixed(3).padStart(8)} ${text}\n`);
      if (forbidden.some((pattern) => pattern.test(text))) this.forbiddenLine ??= text;
    });
    child.stdout?.on('data', (bytes: Buffer) => {
      this.console.feed(bytes, this.nowMs());
      this.#onChange();
    });
    this.qmp = new Qmp(child.stdio[3] as Duplex, (event) => {
      log.write(`${(this.nowMs() / 1000).toFixed(3).padStart(8)} -- ${JSON.stringify(event)}\n`);
      this.#onChange();
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.exit = signal ?? `status ${code}`;
        log.end(`${this.console.unfinished}\n`);
        this.#onChange();
        resolve();
      });
    });
  }

  /** QEMU may have waited for its slots until now. */
  async start(): Promise<void> {
    this.#startedAt = performance.now();
    for (const { name, wire } of this.scenario.nics ?? [])
      if (wire === undefined) await this.qmp.command('set_link', { name, up: false });
    await this.qmp.command('cont');
  }

  /** Milliseconds since power-on. */
  nowMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Resolves when anything happened: console output, a QMP event, the end; or after timeoutMs. */
  async change(timeoutMs: number): Promise<void> {
    const late = new AbortController();
    const changed = new Promise<void>((resolve) => {
      this.#onChange = resolve;
    });
    await Promise.race([changed, sleep(timeoutMs, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Puts a medium into an empty drive; what is written to it, if it can be, is thrown away. */
  async insert(name: string, file: string): Promise<void> {
    const disk = this.scenario.disks?.find((one) => one.name === name);
    if (disk?.empty !== true) throw new Error(`${this.scenario.name}: ${name} is no empty drive`);
    const medium = isCd(disk.bus)
      ? { filename: file, format: 'raw', 'read-only-mode': 'read-only' }
      : { filename: await overlayOver(file, this.directory, disk), format: 'qcow2' };
    await this.qmp.command('blockdev-change-medium', { device: name, ...medium });
  }

  async screenshot(): Promise<void> {
    const filename = join(this.directory, 'screen.png');
    await Promise.race([this.qmp.command('screendump', { filename, format: 'png' }), sleep(3000)]);
  }

  /** Ends QEMU at once. */
  async kill(): Promise<void> {
    if (this.exit === undefined) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    for (const disk of this.scenario.disks ?? []) rmSync(overlayPath(this.directory, disk.name), { force: true });
    rmSync(join(this.directory, 'uefi-variables.fd'), { force: true });
  }
}

const overlayPath = (directory: string, disk: string): string => join(directory, `${disk}.qcow2`);

async function overlayOver(file: string, directory: string, disk: Disk): Promise<string> {
  const overlay = overlayPath(directory, disk.name);
  const size = disk.sizeBytes === undefined ? [] : [String(disk.sizeBytes)];
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', file, '-F', 'raw', overlay, ...size]);
  return overlay;
}

/** Overlays keep the shared images as they are; a CD and a keepWrites disk are opened themselves. */
async function prepareDisks(scenario: Scenario, directory: string): Promise<Surroundings['backing']> {
  const backing = new Map<string, { file: string; format: 'raw' | 'qcow2' }>();
  for (const disk of scenario.disks ?? []) {
    if (disk.file === undefined) continue;
    if (isCd(disk.bus) || disk.keepWrites) {
      backing.set(disk.name, { file: disk.file, format: 'raw' });
      continue;
    }
    backing.set(disk.name, { file: await overlayOver(disk.file, directory, disk), format: 'qcow2' });
  }
  return backing;
}

/**
 * A command that holds slots as long as it lives (flock's lock goes with the process) and that the kernel kills when
 * the test runner dies, however it dies.
 */
function command(slots: readonly number[], program: readonly string[]): readonly string[] {
  // Who wants all waits for one after the other, holding what it has: those who want one could otherwise keep it from
  // ever having all at once. The order is the same for everybody, so that none waits for another in a circle.
  const wait = slots.length > 1 ? [] : ['--nonblock', '--conflict-exit-code', String(SLOT_TAKEN)];
  const locks = slots.flatMap((slot) => ['flock', '--no-fork', ...wait, join(vmDirectory(), `slot-${slot}`)]);
  return ['--pdeathsig', 'KILL', '--', ...locks, ...program];
}

/** A machine's port on a wire goes by the machine's name, with the card's after it where there are several. */
export function portName(scenario: Scenario, nic: string): string {
  return (scenario.nics ?? []).length > 1 ? `${scenario.name}:${nic}` : scenario.name;
}

const ALL_SLOTS = Array.from({ length: SLOTS }, (_, slot) => slot);
const SLOT_RETRY_MS = 300;

/** Holds slots until it is disposed: for machines that come and go. undefined: they are taken. */
async function hold(slots: readonly number[]): Promise<AsyncDisposable | undefined> {
  const holder = spawn('setpriv', command(slots, ['sh', '-c', 'echo held; exec cat']), {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => holder.once('close', resolve));
  const held = new Promise<'held'>((resolve) => holder.stdout.once('data', () => resolve('held')));
  const outcome = await Promise.race([held, ended]);
  if (outcome === SLOT_TAKEN) return undefined;
  if (outcome !== 'held') throw new Error(`slots cannot be taken: status ${outcome}`);
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}

/**
 * Waits for slots: one for machines of which hardly more than one is busy at a time, all for machines that none else may
 * run beside.
 */
export async function takeSlots(which: 'one' | 'all'): Promise<AsyncDisposable> {
  for (;;) {
    for (const slots of which === 'all' ? [ALL_SLOTS] : ALL_SLOTS.map((slot) => [slot])) {
      const held = await hold(slots);
      if (held !== undefined) return held;
    }
    await new Promise((resolve) => setTimeout(resolve, SLOT_RETRY_MS));
  }
}

/** Starts QEMU; undefined when the slots are taken. */
async function tryStart(
  scenario: Scenario,
  directory: string,
  slots: readonly number[],
  surroundings: Surroundings,
  wires: readonly (readonly [string, Wire])[],
  onLine: (line: ConsoleLine) => void,
): Promise<Machine | undefined> {
  const errors = openSync(join(directory, 'qemu.log'), 'w');
  const child = spawn('setpriv', command(slots, ['qemu-system-x86_64', ...qemuArguments(scenario, surroundings)]), {
    stdio: ['pipe', 'pipe', errors, 'pipe', ...wires.map(() => 'pipe' as const)],
  });
  // Writing to a machine that went off is seen by the step that waits for its answer.
  (child.stdin as Writable).on('error', () => {});
  const machine = new Machine(scenario, directory, child, onLine);
  try {
    await machine.qmp.ready;
  } catch (cause) {
    // Its disks stay: it is tried again when the slots were taken.
    await machine.kill();
    if (machine.exit === `status ${SLOT_TAKEN}`) return undefined;
    const words = readFileSync(join(directory, 'qemu.log'), 'utf8').trim();
    throw new Error(`${scenario.name}: QEMU does not start: ${words || machine.exit}`, { cause });
  }
  for (const [index, [nic, wire]] of wires.entries()) {
    wire.plug(child.stdio[4 + index] as Duplex, portName(scenario, nic));
  }
  return machine;
}

/** Switches a scenario's machine on. Throws when QEMU cannot start; waits for a slot as long as it takes. */
export async function powerOn(scenario: Scenario, options: PowerOnOptions = {}): Promise<Machine> {
  const directory = vmDirectory(scenario.name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const wires = (scenario.nics ?? []).flatMap((nic): (readonly [string, Wire])[] => {
    if (nic.wire === undefined) return [];
    const wire = options.wires?.[nic.wire];
    if (wire === undefined) throw new Error(`${scenario.name}: ${nic.name} is on wire ${nic.wire}, which is not given`);
    return [[nic.name, wire]];
  });
  const variables = join(directory, 'uefi-variables.fd');
  const { firmware = 'bios' } = scenario;
  const uefi = firmware === 'bios' ? undefined : UEFI_FILES[firmware];
  if (uefi !== undefined) copyFileSync(uefi.variables, variables);
  const surroundings: Surroundings = {
    accelerator: options.accelerator ?? (await accelerator()),
    backing: await prepareDisks(scenario, directory),
    ...(uefi === undefined ? {} : { uefi: { ...uefi, variables } }),
    qmpFd: 3,
    wireFds: new Map(wires.map(([name], index) => [name, 4 + index])),
  };
  const quoted = qemuArguments(scenario, surroundings).map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  writeFileSync(join(directory, 'qemu-arguments'), `${quoted.join(' ')}\n`);
  const choices = { none: [[]], all: [ALL_SLOTS], one: ALL_SLOTS.map((slot) => [slot]) }[options.slots ?? 'one'];
  for (;;) {
    for (const slots of choices) {
      const machine = await tryStart(scenario, directory, slots, surroundings, wires, options.onLine ?? (() => {}));
      if (machine === undefined) continue;
      await machine.start();
      return machine;
    }
    await sleep(SLOT_RETRY_MS);
  }
}
