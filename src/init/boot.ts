/**
 * The boot, top to bottom: from the kernel's hand to the image's init. A stage is one call named for what it achieves;
 * what it did and how long it took goes to the consoles and to /run/viver/boot.json.
 */
import { reboot, syncAll } from '../linux/reboot.ts';
import { SyscallPool } from '../linux/syscall-pool.ts';
import { switchRoot } from '../root/switch.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import { summaryLine, writeReport } from './boot-report.ts';
import { buildRoot } from './build-root.ts';
import type { BootOptions, StageName } from './command-line.ts';
import { type Drivers, startDrivers } from './drivers.ts';
import { explainFailure } from './failure.ts';
import type { FieldDaemon } from './field-daemon.ts';
import { findSource } from './find-source.ts';
import { AllRefused, firstSoundImage } from './first-sound-image.ts';
import { handOver } from './hand-over.ts';
import { joinField } from './join-field.ts';
import { Network } from './network.ts';
import { openSystem } from './open-system.ts';
import { Refusals } from './refusals.ts';
import { rescue } from './rescue.ts';

/** Never returns: this process becomes the image's init, or the machine is rebooted. */
export async function boot(log: BootLog): Promise<never> {
  // Its thread comes up meanwhile.
  const pool = new SyscallPool();
  const options = await log.stage('filesystems', () => openSystem(log));
  let started: Drivers | undefined;
  const stage = async <T>(name: StageName, run: () => Promise<StageDone<T>> | StageDone<T>): Promise<T> => {
    if (options.break === name) {
      // A person at the prompt wants a keyboard, which may hang on what was left.
      started?.leaveRest(false);
      await rescue(log, `stopped before the stage ${name} (viver.break=${name})`);
    }
    return log.stage(name, run);
  };
  const drivers = await stage('hardware', () => startDrivers(options, pool, log));
  started = drivers;
  if (options.rescue) await rescue(log, 'asked for by viver.rescue');
  const refused = new Refusals();
  const network = new Network(options, log);
  for (;;) {
    let daemon: FieldDaemon | undefined;
    try {
      const source = await stage('media', () => findSource(options, drivers, network, refused, log));
      drivers.leaveRest(true);
      const image = await stage('image', () =>
        source.kind === 'net'
          ? joinField(source.field, options, drivers, refused, log)
          : firstSoundImage(source.media, options, drivers, refused, log),
      );
      daemon = image.daemon;
      const root = await stage('root', () => buildRoot(image, options, drivers, log));
      await stage('handover', () => handOver(image, root, options, drivers, network, log));
      const result = { image, root, drivers, outcomes: await drivers.outcomes() };
      log.line(summaryLine(result));
      writeReport(log, result);
      log.close();
      switchRoot(root.target, root.init.path, process.argv.slice(2), root.environment);
    } catch (error) {
      await daemon?.stop();
      drivers.leaveRest(false);
      if (!(error instanceof AllRefused)) {
        await failed(error, options, log);
        refused.clear();
      }
      log.rewind('media');
    }
  }
}

/** Says what failed and what to try; then a person has the word, or `panic=` reboots. */
async function failed(error: unknown, options: BootOptions, log: BootLog): Promise<void> {
  for (const line of explainFailure(error)) log.line(line);
  writeReport(log);
  if (options.panicSeconds === undefined) {
    await rescue(log, 'the boot failed; `exit` tries it again from the search for media');
    return;
  }
  log.info(`reboot in ${options.panicSeconds} s (panic=${options.panicSeconds})`);
  await new Promise((resolve) => setTimeout(resolve, (options.panicSeconds ?? 0) * 1000));
  syncAll();
  reboot('restart');
}
