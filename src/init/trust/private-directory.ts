import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { REPORT_DIRECTORY } from '../boot-log.ts';

/**
 * Where the parts of the root are mounted: the image below, what was written, the medium. Only root gets in: below an
 * upgraded program lies the old one with its set-user-id bit, below a file that was closed to others the open one, and
 * on a medium or a kept upper layer lies whatever else somebody put there.
 */
export const PRIVATE_DIRECTORY = `${REPORT_DIRECTORY}/private`;

/** Under these names root finds them. */
const PARTS = ['lower', 'cow', 'media', 'image', 'store'];

export function makePrivateDirectory(): void {
  mkdirSync(PRIVATE_DIRECTORY, { recursive: true, mode: 0o700 });
  for (const part of PARTS) {
    const name = `${REPORT_DIRECTORY}/${part}`;
    if (!existsSync(name)) symlinkSync(`private/${part}`, name);
  }
}
