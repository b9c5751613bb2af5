import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadOutcome } from '../hardware/load.ts';
import { describeError } from '../linux/describe-error.ts';
import type { ImageCandidate } from '../media/candidate.ts';
import type { Cow } from '../root/cow.ts';
import { type BootLog, REPORT_DIRECTORY, uptimeMs } from './boot-log.ts';
import type { BuiltRoot } from './build-root.ts';
import type { Drivers } from './drivers/drivers.ts';
import type { FirmwareFit } from './drivers/image-firmware.ts';
import type { SoundImage } from './trust/first-sound-image.ts';

/** What a whole boot came to, for its summary line and its report. */
export interface BootResult {
  readonly image: SoundImage;
  readonly root: BuiltRoot;
  readonly drivers: Drivers;
  readonly firmware: readonly FirmwareFit[];
  readonly outcomes: readonly LoadOutcome[];
}

/** Digits of an image id that a person compares. */
const ID_DIGITS = 12;

/** What the summary line is made of. */
export interface Summarized {
  readonly image: Pick<SoundImage, 'name' | 'id'> & { readonly candidate: Pick<ImageCandidate, 'device'> };
  readonly root: { readonly cow: Pick<Cow, 'kind'> };
  readonly outcomes: readonly LoadOutcome[];
}

/** `viver: root ready image=NAME@ID12 medium=… device=… cow=… modules=N seconds=S`; S since the kernel started. */
export function summaryLine({ image, root, outcomes }: Summarized): string {
  const { device } = image.candidate;
  const id = image.id?.slice(0, ID_DIGITS) ?? 'unindexed';
  const seconds = (uptimeMs() / 1000).toFixed(2);
  return (
    `viver: root ready image=${image.name}@${id} medium=${device.medium} device=${device.path} ` +
    `cow=${root.cow.kind} modules=${loadedCount(outcomes)} seconds=${seconds}`
  );
}

/** Those that initrd/early-modules.c has loaded are there already when they are asked for. */
function loadedCount(outcomes: readonly LoadOutcome[]): number {
  return outcomes.filter((outcome) => outcome.kind !== 'failed').length;
}

function describeOutcome(outcome: LoadOutcome) {
  const { name, reason, wantedBy } = outcome.module;
  const rest =
    outcome.kind === 'loaded'
      ? { ms: Math.round(outcome.ms) }
      : outcome.kind === 'failed'
        ? { why: outcome.reason }
        : {};
  return { name, outcome: outcome.kind, ...rest, reason, wantedBy };
}

/** The file or device that the image is read from, also where that is done through the daemon's device. */
function whereImageIs({ image, root }: BootResult): string {
  return image.daemon?.request.imagePath ?? root.imagePath;
}

/**
 * Writes /run/viver/boot.json: times in milliseconds since the kernel started. Without a result the boot failed. That it
 * cannot be written is warned of: no boot fails for its report.
 */
export function writeReport(log: BootLog, result?: BootResult): void {
  const report = {
    version: 1,
    ...(result === undefined
      ? { ready: false }
      : {
          ready: true,
          image: { name: result.image.name, id: result.image.id ?? null, path: whereImageIs(result) },
          medium: result.image.candidate.device.medium,
          device: result.image.candidate.device.path,
          inRam: result.image.inRam,
          cow: { kind: result.root.cow.kind, note: result.root.cow.note },
          init: result.root.init,
          modules: result.outcomes.map(describeOutcome),
          devices: result.drivers.wants.map(({ want, what, choices }) => ({ device: want, what, choices })),
          // Drivers whose firmware the initrd lacks; what of it the image has, it loads itself.
          firmware: result.firmware,
          seconds: uptimeMs() / 1000,
        }),
    stages: log.stages,
    choices: log.choices,
    warnings: log.warnings,
  };
  try {
    writeFileSync(join(REPORT_DIRECTORY, 'boot.json'), `${JSON.stringify(report, undefined, 1)}\n`);
  } catch (error) {
    log.warn(`no report: ${describeError(error)}`);
  }
}
