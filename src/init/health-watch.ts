import { type ChildProcess, spawn } from 'node:child_process';
import { HEALTHY_FILE } from '../runes/places.ts';

/** A new version of the image has so long to become healthy. */
const SECONDS = 300;
const LOOK_SECONDS = 5;

/**
 * $1: the file that says so, by its path in the image's root; $2: seconds; $3: the kernel's log; $4: what takes SysRq's keys. It runs in the initramfs, whatever becomes of the
 * image's init and its services, and needs nothing of them: the kernel's file systems belong to the new root after the
 * switch, so it mounts its own. Nothing is lost by the hard end: what is on disks is synchronized and read-only by then.
 */
const LOOP = `
healthy=$1 left=$2 log=$3 trigger=$4
see() { [ -e /proc/1 ] || mount -t proc proc /proc; }
while [ "$left" -gt 0 ]; do
  see
  [ ! -e "/proc/1/root$healthy" ] || exit 0
  sleep $((left < ${LOOK_SECONDS} ? left : ${LOOK_SECONDS}))
  left=$((left - ${LOOK_SECONDS}))
done
see
[ ! -e "/proc/1/root$healthy" ] || exit 0
echo "<2>viver: this version of the image is not healthy after $2 s: the machine starts anew" > "$log"
for key in s u b; do
  echo "$key" > "$trigger"
  sleep 2
done
`;

/** Where it looks and what it does; a test has its own. */
export interface HealthWatch {
  readonly busybox: string;
  readonly healthy: string;
  readonly seconds: number;
  readonly log: string;
  readonly trigger: string;
}

const WATCH: HealthWatch = {
  ...{ busybox: '/bin/busybox', healthy: HEALTHY_FILE, seconds: SECONDS },
  // The initramfs has no /dev of its own after the switch.
  ...{ log: '/proc/1/root/dev/kmsg', trigger: '/proc/sysrq-trigger' },
};

/** Program and arguments of the watch; `argv0` is what it must be called by. Pure. */
export function planHealthWatch({ busybox, healthy, seconds, log, trigger }: HealthWatch = WATCH) {
  return { file: busybox, argv0: 'sh', args: ['-c', LOOP, 'viver-health', healthy, String(seconds), log, trigger] };
}

/**
 * Starts anew the machine that has got a version of its image that is new to it (viver.release= of the boot server), unless
 * it becomes healthy in time (runes/plugins/health.ts). The boot server then gives it the version that it had before.
 */
export function watchHealth(): ChildProcess {
  const { file, argv0, args } = planHealthWatch();
  const child = spawn(file, args, { argv0, detached: true, stdio: 'ignore', cwd: '/' });
  child.unref();
  return child;
}
