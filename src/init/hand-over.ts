import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError } from '../linux/describe-error.ts';
import { freeModules, KEPT_INITRAMFS, keepInitramfs } from '../root/switch.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import type { BuiltRoot } from './build-root.ts';
import type { Drivers } from './drivers.ts';

/** Where the running system finds the command: on everyone's PATH, and in no package's way. */
const COMMAND = '/usr/local/bin/viver';

/**
 * The executable of the initramfs with the initramfs's own loader and libraries: the image may have another libc, or
 * another machine's.
 */
const WRAPPER = `#!/bin/sh
# VIVER from the initramfs that booted this system.
r=${KEPT_INITRAMFS}
for loader in "$r"/lib64/ld-linux-*.so.* "$r"/lib/ld-linux-*.so.*; do
  [ -e "$loader" ] && exec "$loader" --library-path "$r/lib:$(echo "$r"/lib/*-linux-gnu):$(echo "$r"/usr/lib/*-linux-gnu)" "$r/init" "$@"
done
echo "viver: no loader in $r" >&2
exit 1
`;

/** Stage `handover`: what outlives the switch, and nothing else. */
export function handOver(root: BuiltRoot, drivers: Drivers, log: BootLog): StageDone<undefined> {
  drivers.close();
  keepInitramfs();
  // Not awaited: what is left of it runs under the image's init.
  freeModules('/lib/modules').catch((error) => log.warn(`modules stay in RAM: ${describeError(error)}`));
  const command = join(root.target, COMMAND);
  if (!existsSync(command)) {
    mkdirSync(dirname(command), { recursive: true });
    writeFileSync(command, WRAPPER);
    chmodSync(command, 0o755);
  }
  return { value: undefined, note: '' };
}
