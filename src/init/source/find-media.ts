import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMounts } from '../../linux/mount.ts';
import { readBlockDevices } from '../../media/block-devices.ts';
import type { ImageCandidate } from '../../media/candidate.ts';
import {
  chooseMedium,
  type ImagePolicy,
  type MeasuredCandidate,
  type RankedCandidate,
  refusal,
} from '../../media/choose.ts';
import { MediaSearch } from '../../media/media-search.ts';
import { MOUNT_ROOT, releaseMounts } from '../../media/search.ts';
import { measureSpeeds } from '../../media/speed.ts';
import { type BootLog, type StageDone, uptimeMs } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { BootFailure } from '../failing/failure.ts';
import { keptFirst } from '../keep/kept-media.ts';
import { decideWait, type WaitDecision } from './media-wait.ts';
import { type Named, namedIso } from './named-iso.ts';
import type { Refusals } from './refusals.ts';
import { readStandings } from './released.ts';

/** Media with images, best first, and how to let go of the others. */
export interface FoundMedia {
  readonly ranked: readonly RankedCandidate[];
  /** Unmounts every medium but that of the candidate. */
  release(keep: ImageCandidate | undefined): Promise<void>;
}

/** Enough to see whether a medium is fast or slow; how fast is measured when there are several. */
const SAMPLE_BYTES = 1024 * 1024;
/** sysfs tells of no change in what is pending: it is looked at anew this often. */
const POLL_MS = 100;
/** So many times what a round took passes before the next; a round that is quick comes at once when a disk has been looked at. */
const REST_OF_ROUND = 2;
/** A round of the search on a machine with a handful of disks takes less, a slow machine too. */
const QUICK_ROUND_MS = 150;
/** A person at the console wants to know what is waited for. */
const SAY_AFTER_MS = 2000;

/**
 * Stage `media`: looks on every disk for images as the disks appear, until there is one and nothing more can come, and
 * ranks what was found. Images refused before are not looked at again.
 * @param offeredElsewhere asked when nothing but a person's hand could bring a medium: whether that is not waited for
 * @throws Error that tells what was seen on each device when no image was found
 */
export async function findMedia(
  options: BootOptions,
  drivers: Drivers,
  refused: Refusals,
  log: BootLog,
  offeredElsewhere: () => boolean,
): Promise<StageDone<FoundMedia>> {
  const policy: ImagePolicy = { name: options.image?.name, media: options.media };
  const isUsable = (candidate: ImageCandidate) => refusal(candidate, policy) === undefined && !refused.has(candidate);
  await takeDownLeftovers(drivers);
  let present = readBlockDevices();
  const named = namedIso(options, () => present.devices, drivers.mediaAccess);
  const search = new MediaSearch({
    ensureModules: (names) => drivers.ensureModules(names),
    access: drivers.mediaAccess,
    ...(named === undefined ? {} : { namedIso: named.iso }),
    isWanted: isUsable,
  });
  const usable = (candidates: readonly ImageCandidate[]) => candidates.filter(isUsable);
  /** What is in the ISO that the boot loader named is waited for; without it anything is better than nothing. */
  const wanted = (candidates: readonly ImageCandidate[]) =>
    usable(candidates).filter(({ iso }) => named === undefined || iso?.isNamed === true);
  const startedMs = uptimeMs();
  let changedMs = startedMs;
  let known = '';
  let saidMs = startedMs;
  let waitsForPerson = false;
  let measured: readonly MeasuredCandidate[] = [];
  for (;;) {
    const roundMs = performance.now();
    present = readBlockDevices();
    const { devices, slots } = present;
    search.update(devices, uptimeMs());
    if (wanted(search.candidates).length === 0) search.askSlots(slots, uptimeMs());
    drivers.lookingAtDisks(search.underWay.length > 0);
    // looks that are repeated are no progress: they would prolong the search
    const state = `${devices.map((device) => `${device.name}:${device.sequence}`)} ${search.underWay.length} ${search.candidates.length}`;
    if (state !== known) changedMs = uptimeMs();
    known = state;

    const lookedAt = search.underWay.map(({ path, medium }) => ({ text: `${path} is being looked at`, medium }));
    const pending = [...drivers.pending(), ...lookedAt];
    const candidates = wanted(search.candidates);
    const tookMs = performance.now() - roundMs;
    // How fast the first image can be read says whether others are worth waiting for.
    if (pending.length > 0) measured = await sampleNew(candidates, measured, drivers);
    const canPlug = slots.length > 0 || canBePluggedIn();
    const decision = decideWait({
      found: candidates.map(({ device, path }) => ({
        medium: device.medium,
        bytesPerSecond: measured.find(({ candidate }) => candidate.path === path)?.bytesPerSecond,
      })),
      pending,
      order: options.media,
      all: options.cow === 'keep',
      hotplug: candidates.length === 0 && canPlug && (pending.length > 0 || !offeredElsewhere()),
      nowMs: uptimeMs(),
      startedMs,
      changedMs,
      waitMs: options.waitSeconds === undefined ? undefined : options.waitSeconds * 1000,
    });
    if (decision.kind === 'choose') {
      log.choose('end of the search', decision.why);
      break;
    }
    if (decision.kind === 'fail') {
      if (named !== undefined && usable(search.candidates).length > 0) {
        log.warn(`${named.by}: no such ISO with an image on any medium; another image is taken`);
        break;
      }
      throw await noImage(search, options, refused, named, decision);
    }
    if (waitsForPerson !== (pending.length === 0)) saidMs = Math.min(saidMs, uptimeMs());
    waitsForPerson = pending.length === 0;
    if (uptimeMs() - saidMs > SAY_AFTER_MS) {
      log.tell(`waiting for a medium with an image: ${decision.why}`);
      saidMs = decision.untilMs;
    }
    const looked = search.changed;
    await Promise.race([drivers.changed(POLL_MS), looked]);
    // Most of the time is left to what is waited for. With hundreds of disks one has always just been looked at.
    const rest = sleep(REST_OF_ROUND * tookMs);
    await (tookMs < QUICK_ROUND_MS ? Promise.race([rest, looked]) : rest);
  }

  const inNamed = wanted(search.candidates);
  const found = inNamed.length > 0 ? inNamed : usable(search.candidates);
  const isLoneDisk = new Set(found.map(({ device }) => device.disk)).size < 2;
  measured = isLoneDisk ? await sampleNew(found, measured, drivers) : await measureSpeeds(found);
  const standings = await readStandings(found, log);
  const standing = measured.map((row) => ({ ...row, standing: standings.get(row.candidate) ?? 0 }));
  const { ordered: ranked, passedOver, warnings } = chooseMedium(standing, policy);
  const isKept = options.cow === 'keep';
  const ordered = isKept ? await keptFirst(ranked, readBlockDevices().devices, drivers.mediaAccess) : ranked;
  for (const warning of warnings) log.warn(warning);
  for (const report of search.reports) log.choose(`search ${report.device.path}`, report.seen);
  for (const { candidate, reason } of ordered)
    log.choose(`candidate ${candidate.path} on ${candidate.device.path}`, reason);
  for (const { candidate, reason } of passedOver)
    log.choose(`passed over ${candidate.path} on ${candidate.device.path}`, reason);
  const [first] = ordered;
  if (first === undefined) throw await noImage(search, options, refused, named, { why: 'none may be used' });
  return {
    value: { ranked: ordered, release: (keep) => search.release(keep === undefined ? [] : [keep]) },
    note: `${ordered.length === 1 ? '1 image' : `${ordered.length} images`}; ${first.candidate.device.path}: ${first.reason}`,
  };
}

/** Says roughly how fast each medium is: anew when there are others than those of `known`. */
async function sampleNew(
  candidates: readonly ImageCandidate[],
  known: readonly MeasuredCandidate[],
  drivers: Drivers,
): Promise<readonly MeasuredCandidate[]> {
  const isSame = candidates.length === known.length && candidates.every((each, i) => each === known[i]?.candidate);
  if (isSame) return known;
  using _ = drivers.pause();
  return await measureSpeeds(candidates, { sampleBytes: SAMPLE_BYTES });
}

/** Whether there is anything a medium can be put into while the machine runs, besides drives that are there. */
function canBePluggedIn(): boolean {
  const some = (directory: string) => existsSync(directory) && readdirSync(directory).length > 0;
  return [
    '/sys/bus/usb/devices',
    '/sys/class/mmc_host',
    '/sys/class/pcmcia_socket',
    '/sys/bus/thunderbolt/devices',
  ].some(some);
}

/** A boot that failed later, and is tried again, left the medium of its image mounted. */
async function takeDownLeftovers(drivers: Drivers): Promise<void> {
  const left = readMounts().filter(({ target }) => target.startsWith(`${MOUNT_ROOT}/`));
  await releaseMounts(left.map(({ target }) => target).reverse(), drivers.mediaAccess);
}

/** What the failure is to say; what the search has mounted is taken down. */
async function noImage(
  search: MediaSearch,
  options: BootOptions,
  refused: Refusals,
  named: Named | undefined,
  { why }: Pick<Extract<WaitDecision, { kind: 'fail' }>, 'why'>,
): Promise<Error> {
  await search.release([]);
  const asked = options.image === undefined ? 'no disk image' : `no disk image '${options.image.name}'`;
  const media = options.media === undefined ? '' : ` on ${options.media.join(', ')}`;
  const { devices, slots } = readBlockDevices();
  const empty = slots.filter(({ path }) => devices.every((device) => device.path !== path));
  const seen = search.reports.map((report) => `${report.device.path} (${report.device.medium}): ${report.seen}`);
  const found = refused.lines.length === 0 ? 'was found' : 'that may be used was found';
  return new BootFailure(`${asked}${media} ${found}: ${why}`, {
    saw: [
      ...(seen.length === 0 ? ['no disk at all: is its controller driven? viver explain tells'] : seen),
      ...empty.map(({ path }) => `${path}: no medium in it`),
      ...refused.lines,
      ...(named === undefined ? [] : [`no ISO file with an image: ${named.by}`]),
    ],
    tryThis: [
      ...(refused.lines.length > 0 && options.image?.id !== undefined
        ? ['boot without the pin (viver.image=NAME), if the image is trusted']
        : []),
      'put in a medium that holds /viver/NAME.sqfs and type exit',
      ...(options.image === undefined && options.media === undefined
        ? []
        : ['boot without viver.image= and viver.media=']),
      'viver.wait=60 for a medium that is slow to appear',
    ],
  });
}
