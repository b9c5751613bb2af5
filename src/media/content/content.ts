import { DETECTION_BYTES, decodeFileSystem, type FileSystem } from '../file-system.ts';
import { type Geometry, mayBeMember } from './geometry.ts';
import { Head } from './head.ts';
import { memberAtStart, type UnusableContent } from './members.ts';
import { memberAtEnd } from './members-at-end.ts';
import type { Probe } from './probe.ts';

export interface DeviceContent {
  /** Undefined: nothing known, such as an empty disk or a partition table. */
  readonly content: FileSystem | UnusableContent | undefined;
  /** The first DETECTION_BYTES bytes, fewer on a short device. */
  readonly start: Uint8Array;
}

/**
 * What is on a device: signatures of what it is a part of come before the file system below them, wherever they are.
 * The end of a device is not read where the start says already that it is of no use.
 */
export function* probeContent(geometry: Geometry): Probe<DeviceContent> {
  const start = yield { offset: 0, length: DETECTION_BYTES };
  const checked = mayBeMember(geometry);
  const first = memberAtStart(new Head(start, DETECTION_BYTES), geometry, checked);
  if (first !== undefined) return { content: first, start };
  const content = decodeFileSystem(start);
  const isDecided = content?.usable === false && (geometry.partitions ?? []).length === 0;
  const last = checked && !isDecided ? yield* memberAtEnd(geometry) : undefined;
  return { content: last ?? content, start };
}
