import type { ConsoleLine } from './console.ts';
import { type Machine, type PowerOnOptions, powerOn } from './machine.ts';
import type { Scenario } from './scenario.ts';
import { perform } from './steps.ts';

export interface Outcome {
  /** Everything the console showed, with milliseconds since power-on. */
  readonly console: readonly ConsoleLine[];
  /** What each step brought: the matched line, the command's output, or ''. */
  readonly results: readonly string[];
  /** Milliseconds from power-on to the end of each step. */
  readonly timings: readonly number[];
  readonly directory: string;
}

/** Performs a scenario's steps on a machine that is on. */
export async function performAll(machine: Machine): Promise<Outcome> {
  const results: string[] = [];
  const timings: number[] = [];
  for (const step of machine.scenario.steps) {
    results.push(await perform(machine, step));
    timings.push(machine.nowMs());
  }
  return { console: machine.console.lines, results, timings, directory: machine.directory };
}

/**
 * One machine from power-on to the end of its steps. Throws a ScenarioError that names the scenario, the step, its
 * deadline and the console's last lines; QEMU is ended in every case.
 */
export async function runScenario(scenario: Scenario, options: PowerOnOptions = {}): Promise<Outcome> {
  await using machine = await powerOn(scenario, options);
  const outcome = await performAll(machine);
  if (machine.exit === undefined && !scenario.mayStillRun) {
    throw new Error(`${scenario.name}: the steps are done and the machine still runs: end with a power-off`);
  }
  return outcome;
}
