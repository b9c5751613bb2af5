import { lstatSync } from 'node:fs';
import { describeError } from '../../linux/describe-error.ts';
import { relabel, type Selinux, writtenSince } from '../../root/selinux.ts';
import type { BootLog } from '../boot-log.ts';

/** A union whose files have labels. */
export interface LabelledRoot {
  readonly selinux: Selinux;
  readonly target: string;
  readonly upper: string;
  /** When VIVER began to write, milliseconds of the wall clock. */
  readonly sinceMs: number;
}

/** The last step before the switch: what was written has the labels that the image gives such files. */
export function labelWritten({ target, upper, sinceMs }: LabelledRoot, log: BootLog): void {
  try {
    // the root's own: an image may have been made without it
    const paths = ['/', ...writtenSince(sinceMs, upper, lstatSync)];
    relabel(target, paths);
    log.choose('SELinux', `${paths.length} files labelled`);
  } catch (error) {
    log.warn(describeError(error));
  }
}
