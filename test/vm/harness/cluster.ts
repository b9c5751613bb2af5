import { type Machine, type PowerOnOptions, powerOn, takeSlots } from './machine.ts';
import { milestoneOf } from './milestones.ts';
import { type Outcome, performAll } from './run-scenario.ts';
import type { Scenario, Step } from './scenario.ts';
import { perform } from './steps.ts';
import { type Bytes, TRAFFIC_KINDS, TrafficMeter } from './traffic.ts';
import { Wire } from './wire.ts';

/** Something that happened to a machine, on the time line all machines of a cluster share. */
export interface Moment {
  /** Milliseconds since the first machine was switched on. */
  readonly atMs: number;
  readonly machine: string;
  readonly text: string;
}

export interface ClusterOptions {
  /** Told of what happens. */
  readonly onMoment?: (moment: Moment) => void;
  /** See takeSlots. */
  readonly slots?: 'one' | 'all';
}

/** Machines on a wire, `lan`, that are switched on and off one by one; `office` is another. Disposing it ends them all. */
export class Cluster implements AsyncDisposable {
  readonly wire = new Wire();
  readonly office = new Wire();
  readonly meter = new TrafficMeter();
  readonly moments: Moment[] = [];
  readonly #machines: Machine[] = [];
  readonly #onMoment: (moment: Moment) => void;
  readonly #slots: AsyncDisposable;
  #startedAt: number | undefined;

  /** Waits until no other machine runs, or, with `one` slot, until at most one does. */
  static async open({ onMoment = () => {}, slots = 'all' }: ClusterOptions = {}): Promise<Cluster> {
    return new Cluster(await takeSlots(slots), onMoment);
  }

  private constructor(slots: AsyncDisposable, onMoment: (moment: Moment) => void) {
    this.#slots = slots;
    this.#onMoment = onMoment;
    this.wire.listen((frame, from, to) =>
      this.meter.count(
        frame,
        from.name,
        to.map(({ name }) => name),
      ),
    );
  }

  /** Since the first machine was switched on. */
  nowMs(): number {
    return this.#startedAt === undefined ? 0 : performance.now() - this.#startedAt;
  }

  note(machine: string, text: string): void {
    const moment = { atMs: this.nowMs(), machine, text };
    this.moments.push(moment);
    this.#onMoment(moment);
  }

  /** Switches a machine on. It may still run when the cluster ends. */
  async powerOn(scenario: Scenario, options: Pick<PowerOnOptions, 'accelerator'> = {}): Promise<Machine> {
    const { name } = scenario;
    const machine = await powerOn(scenario, {
      ...options,
      wires: { lan: this.wire, office: this.office },
      slots: 'none',
      onLine: ({ text }) => {
        const milestone = milestoneOf(text);
        if (milestone !== undefined) this.note(name, milestone);
      },
    });
    this.#startedAt ??= performance.now();
    this.note(name, 'power on');
    this.#machines.push(machine);
    return machine;
  }

  /** Pulls the plug. */
  async powerOff(machine: Machine): Promise<void> {
    this.note(machine.scenario.name, 'POWER OFF (the plug is pulled)');
    await machine.kill();
  }

  /** Performs the scenario's own steps. */
  async performAll(machine: Machine): Promise<Outcome> {
    return performAll(machine);
  }

  async perform(machine: Machine, steps: readonly Step[]): Promise<string> {
    let result = '';
    for (const step of steps) result = await perform(machine, step);
    return result;
  }

  /** A command's output. */
  run(machine: Machine, command: string, within = 60): Promise<string> {
    return perform(machine, { run: command, within });
  }

  /** What a machine was sent, by whom: for people. */
  describeTraffic(machine: string): string {
    const sources = [...this.meter.receivedBy(machine)];
    return sources.map(([from, bytes]) => `from ${from}: ${describeBytes(bytes)}`).join('; ');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.#machines.toReversed()) await machine[Symbol.asyncDispose]();
    await this.#slots[Symbol.asyncDispose]();
  }
}

/** `54.2 MB HTTP, 0.1 MB TFTP`: kinds that matter for the answer. */
export function describeBytes(bytes: Bytes): string {
  const told = TRAFFIC_KINDS.filter((kind) => bytes[kind] >= 50_000 && kind !== 'dhcp');
  const words = told.map((kind) => `${(bytes[kind] / 1e6).toFixed(1)} MB ${NAMES[kind]}`);
  return words.length === 0 ? 'next to nothing' : words.join(', ');
}

const NAMES = { dhcp: 'DHCP', tftp: 'TFTP', http: 'HTTP', field: 'V-FIELD', other: 'other' } as const;
