import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { planDiskDevices } from './buses.ts';
import type { Machine } from './machine.ts';
import type { Step } from './scenario.ts';

/** Deadlines are written for two machines on two quiet cores, and only guard against hanging: they are multiplied. */
const PATIENCE = Number(process.env.VIVER_VM_PATIENCE ?? '2');
const COMMAND_SECONDS = 60;
const LAST_LINES = 30;

export class ScenarioError extends Error {
  override name = 'ScenarioError';
}

function fail(machine: Machine, step: Step, why: string): ScenarioError {
  const { scenario, console } = machine;
  const number = scenario.steps.indexOf(step) + 1;
  const where = number > 0 ? `step ${number} of ${scenario.steps.length}` : 'step';
  return new ScenarioError(
    `${scenario.name}: ${where} ${inspect(step, { breakLength: Infinity })}: ${why} ` +
      `(${(machine.nowMs() / 1000).toFixed(1)} s after power-on; log: ${machine.directory}/console.log)\n` +
      `--- the last lines of the console ---\n${console.tail(LAST_LINES)}`,
  );
}

/** Waits until `look` finds something. Throws at the deadline, at a forbidden line, or when the machine goes off. */
async function until<T>(machine: Machine, step: Step, within: number, look: () => T | undefined): Promise<T> {
  const deadlineMs = machine.nowMs() + within * 1000 * PATIENCE;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (machine.forbiddenLine !== undefined) throw fail(machine, step, `the console says: ${machine.forbiddenLine}`);
    if (machine.exit !== undefined) throw fail(machine, step, `the machine went off (QEMU: ${machine.exit})`);
    const leftMs = deadlineMs - machine.nowMs();
    if (leftMs <= 0) {
      await machine.screenshot().catch(() => {});
      throw fail(machine, step, `not within ${within * PATIENCE} s`);
    }
    await machine.change(leftMs);
  }
}

const matches = (text: string, pattern: string | RegExp): boolean =>
  typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);

async function runCommand(machine: Machine, step: Extract<Step, { run: string }>): Promise<string> {
  // The marks are broken up so that the echo of the typed line, where echo is on, is not taken for the answer.
  machine.type(`echo "viver-""begin"; ${step.run}; echo "viver-""status=$?"\n`);
  const text = await until(machine, step, step.within ?? COMMAND_SECONDS, () => {
    const pending = machine.console.pending();
    const end = pending.findIndex((line) => /viver-status=\d+/.test(line));
    return end < 0 ? undefined : pending.slice(0, end + 1).join('\n');
  });
  machine.console.takeLine(/viver-status=\d+/);
  const [, rest = ''] = text.split(/viver-begin\n?/);
  const [output = '', status = ''] = rest.split(/\n?viver-status=/);
  if (Number(status) !== (step.status ?? 0)) throw fail(machine, step, `status ${status}, output: ${output}`);
  if (step.output !== undefined && !matches(output, step.output)) {
    throw fail(machine, step, `its output is another: ${JSON.stringify(output)}`);
  }
  return output;
}

async function attach(machine: Machine, name: string): Promise<void> {
  for (const { driver, ...properties } of planDiskDevices(machine.scenario).disks.get(name) ?? []) {
    await machine.qmp.command('device_add', { driver, ...properties });
  }
}

async function detach(machine: Machine, step: Extract<Step, { detach: string }>): Promise<void> {
  const first = planDiskDevices(machine.scenario).disks.get(step.detach)?.[0]?.id;
  await machine.qmp.command('device_del', { id: first });
  await until(machine, step, step.within ?? 20, () =>
    machine.qmp.events.find((event) => event.event === 'DEVICE_DELETED' && event.data.device === first),
  );
}

async function expectEnd(machine: Machine, step: Extract<Step, { expect: string }>): Promise<void> {
  const wanted =
    step.expect === 'reset'
      ? (event: { event: string; data: Readonly<Record<string, unknown>> }) =>
          event.event === 'RESET' && event.data.reason === 'guest-reset'
      : (event: { event: string; data: Readonly<Record<string, unknown>> }) =>
          event.event === 'SHUTDOWN' && event.data.reason === 'guest-shutdown';
  await until(machine, step, step.within, () => machine.qmp.events.find(wanted));
  if (step.expect === 'power-off') await until(machine, step, 20, () => machine.exit);
}

/** Performs one step; gives the matched line, the command's output, or ''. */
export async function perform(machine: Machine, step: Step): Promise<string> {
  if ('wait' in step) {
    return (await until(machine, step, step.within, () => machine.console.takeLine(step.wait))).text;
  }
  if ('prompt' in step) {
    return (await until(machine, step, step.within, () => machine.console.takePrompt(step.prompt))).text;
  }
  if ('run' in step) return runCommand(machine, step);
  if ('type' in step) machine.type(step.type);
  else if ('pauseSeconds' in step) await sleep(step.pauseSeconds * 1000);
  else if ('attach' in step) await attach(machine, step.attach);
  else if ('detach' in step) await detach(machine, step);
  else if ('insert' in step) await machine.insert(step.insert, step.file);
  else if ('link' in step) await machine.qmp.command('set_link', { name: step.link, up: step.up });
  else if ('qmp' in step) return JSON.stringify(await machine.qmp.command(step.qmp, step.arguments));
  else await expectEnd(machine, step);
  return '';
}
