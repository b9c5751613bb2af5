/**
 * The boot, top to bottom: from the kernel's hand to the image's init. A stage is one call named for what it achieves;
 * what it did and how long it took goes to the consoles and to /run/viver/boot.json. What happens to an error is in
 * error-policy.ts, how a failed attempt is taken back in undo.ts.
 */
import { SyscallPool } from '../linux/syscall-pool.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import { summaryLine, writeReport } from './boot-report.ts';
import { buildRoot } from './build-root.ts';
import type { BootOptions, StageName } from './command-line.ts';
import { type Drivers, startDrivers } from './drivers/drivers.ts';
import { ErrorPolicy } from './failing/error-policy.ts';
import { mountsSinceNow, Undo } from './failing/undo.ts';
import { commitHandOver, prepareHandOver } from './hand-over.ts';
import { openSystem } from './open-system.ts';
import { loadKeymap } from './prompt/keymap.ts';
import type { FieldDaemon } from './source/field-daemon.ts';
import { findSource } from './source/find-source.ts';
import { joinField } from './source/join-field.ts';
import { Network } from './source/network.ts';
import { Refusals } from './source/refusals.ts';
import { AllRefused, firstSoundImage } from './trust/first-sound-image.ts';

/** What one attempt leaves to the next: the machine itself, as far as it is opened. */
interface Machine {
  readonly pool: SyscallPool;
  readonly refused: Refusals;
  options?: BootOptions;
  /** Settled when the keyboard has the layout that was asked for. */
  keymap?: Promise<void>;
  drivers?: Drivers;
  network?: Network;
}

/** Never returns: this process becomes the image's init, or the machine is rebooted. */
export async function boot(log: BootLog): Promise<never> {
  const policy = new ErrorPolicy(log);
  // The pool's thread comes up meanwhile.
  const machine: Machine = { pool: new SyscallPool(), refused: new Refusals() };
  policy.saw = () => [machine.drivers?.problem ?? [], machine.drivers?.undriven() ?? []].flat();
  // A person at the prompt wants a keyboard, which may hang on what was left.
  policy.readyPrompt = async () => {
    machine.drivers?.leaveRest(false);
    await machine.keymap;
  };
  for (;;) {
    try {
      await policy.during((signal) => attempt(machine, policy, signal, log));
    } catch (error) {
      machine.drivers?.leaveRest(false);
      if (!(error instanceof AllRefused)) {
        await policy.failed(error);
        machine.refused.clear();
      }
      log.rewind('media');
    }
  }
}

/** One way from where the machine is to the image's init. */
async function attempt(machine: Machine, policy: ErrorPolicy, signal: AbortSignal, log: BootLog): Promise<never> {
  const { pool, refused } = machine;
  await using undo = new Undo((text) => log.warn(text));
  const stage = async <T>(name: StageName, run: () => Promise<StageDone<T>> | StageDone<T>): Promise<T> => {
    if (machine.options?.break === name) await policy.prompt(`stopped before the stage ${name} (viver.break=${name})`);
    signal.throwIfAborted();
    return log.stage(name, run);
  };
  if (machine.options === undefined) {
    machine.options = await stage('filesystems', () => openSystem(log));
    policy.options = machine.options;
    if (machine.options.keymap !== undefined) machine.keymap = loadKeymap(machine.options.keymap, log);
    // The word is known only now.
    if (machine.options.break === 'filesystems') await policy.prompt('stopped as early as can be (viver.break=)');
  }
  const { options } = machine;
  if (machine.drivers === undefined) {
    machine.drivers = await stage('hardware', () => startDrivers(options, pool, log));
    if (options.vlan !== undefined) await machine.drivers.ensureModules(['8021q']);
    machine.network = new Network(options, log);
    if (options.rescue) await policy.prompt('asked for by viver.rescue');
  }
  const { drivers, network = new Network(options, log) } = machine;

  let daemon: FieldDaemon | undefined;
  undo.add('the field daemon', () => daemon?.stop());
  undo.add('what was mounted', mountsSinceNow());
  const source = await stage('media', () => findSource(options, drivers, network, refused, log));
  drivers.leaveRest(true);
  const image = await stage('image', () =>
    source.kind === 'net'
      ? joinField(source.field, options, drivers, refused, log)
      : firstSoundImage(source.media, options, drivers, refused, log),
  );
  daemon = image.daemon;
  const root = await stage('root', () => buildRoot(image, options, drivers, log));
  const ready = await stage('handover', () => prepareHandOver(image, root, options, drivers, network, undo, log));
  const result = { image, root, drivers, firmware: ready.firmware, outcomes: await drivers.outcomes() };
  log.routine(summaryLine(result));
  writeReport(log, result);
  signal.throwIfAborted();
  try {
    return commitHandOver(ready, process.argv.slice(2), log);
  } catch (error) {
    return policy.committed(error);
  }
}
