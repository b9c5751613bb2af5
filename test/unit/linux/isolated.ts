import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Runs `AREA/child/PROGRAM.ts` (given as `AREA/PROGRAM`) as root in namespaces of its own (`--mount`, `--net`, `--uts` …, unshare(1)) and gives the JSON
 * that it prints; what it does to the kernel is gone when it ends.
 */
export async function isolated(
  name: `${string}/${string}`,
  namespaces: readonly string[],
  args: readonly string[] = [],
): Promise<unknown> {
  const [area = '', program = ''] = name.split('/');
  const child = join(import.meta.dirname, '..', area, 'child', `${program}.ts`);
  const { stdout } = await promisify(execFile)('unshare', [...namespaces, '--', process.execPath, child, ...args], {
    timeout: 30_000,
  });
  return JSON.parse(stdout);
}
