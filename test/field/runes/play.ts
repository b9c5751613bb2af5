import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Machines with their plugins on one wire, in namespaces; real dnsmasq, real fields, BusyBox as the client.
 * @returns what the scenario found
 */
export async function play(scenario: string, file = 'scenarios'): Promise<unknown> {
  const program = join(import.meta.dirname, `${file}.ts`);
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['--net', '--mount', '--', process.execPath, program, scenario],
    { timeout: 560_000, maxBuffer: 16 << 20 },
  );
  return JSON.parse(stdout);
}
