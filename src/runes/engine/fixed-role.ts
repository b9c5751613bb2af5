import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hasCode } from '../../linux/errno.ts';
import { RUN_DIRECTORY } from '../places.ts';

/** The role a machine was given before the switch, and why. */
export interface FixedRole {
  readonly name: string;
  readonly why: string;
}

const FILE = 'role.json';

/**
 * A role is chosen once, before the switch: by what the machine is called and which address it has then. Otherwise a
 * role that asks for one of them would be another after the switch, when both may have changed.
 */
export function writeFixedRole({ name, why }: FixedRole, directory = RUN_DIRECTORY): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/${FILE}`, `${JSON.stringify({ name, why })}\n`);
}

/** @returns undefined where nobody chose: `viver runes` on a machine that VIVER did not boot */
export function readFixedRole(directory = RUN_DIRECTORY): FixedRole | undefined {
  let text: string;
  try {
    text = readFileSync(`${directory}/${FILE}`, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const { name, why } = JSON.parse(text) as Partial<FixedRole>;
  return typeof name === 'string' && typeof why === 'string' ? { name, why } : undefined;
}
