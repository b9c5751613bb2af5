import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FieldTest } from '../../field/field-harness.ts';
import { VIVER } from '../field/runs.ts';

/** The image of a test as a store that nginx serves, in whatever namespace `wrapper` leads to. */
export async function startOrigin(
  field: FieldTest,
  store: string,
  address: string,
  wrapper: readonly string[],
): Promise<AsyncDisposable> {
  if (!existsSync(store)) execFileSync(VIVER, ['chunk', 'store', field.image.path, store]);
  const home = join(field.directory, `nginx-${address}`);
  mkdirSync(home);
  writeFileSync(
    join(home, 'nginx.conf'),
    `daemon off; user root; pid ${home}/pid; error_log stderr; events {}
     http { access_log off; keepalive_requests 100000; server { listen ${address}; root ${store}; } }`,
  );
  const [command = '', ...before] = [...wrapper, 'nginx'];
  const child = spawn(command, [...before, '-c', join(home, 'nginx.conf'), '-p', home, '-e', 'stderr'], {
    stdio: 'ignore',
  });
  while (!existsSync(join(home, 'pid'))) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    await sleep(20);
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}
