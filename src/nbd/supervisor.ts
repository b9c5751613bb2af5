import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';

/**
 * What starts the daemon under a block device again when it dies.
 *
 * It is a BusyBox shell loop and not a second VIVER: a shell takes under 1 MB of the machine's memory where a Node
 * process takes 50, for something that is needed once in a blue moon, and has no heap to be killed for. It does not
 * know of devices either: a daemon that starts finds the device its predecessor left and gives it a new socket
 * (KernelDevice.attach), so that starting it again is all there is to do.
 *
 * The loop is started before the switch to the image's root and stays in the initramfs, so nothing it runs is ever read
 * from the device it stands for. Should the kernel's file systems not be there any more (they belong to the new root
 * after the switch), it takes them from process 1.
 */
export interface SupervisedDaemon {
  /** The daemon: program and arguments, by paths in the initramfs. */
  readonly command: readonly string[];
  /** The name it goes by; it begins with `@` so that systemd leaves it alone at the end (ROOT_STORAGE_DAEMONS). */
  readonly name: string;
  /** BusyBox, by its path in the initramfs. */
  readonly busybox: string;
  /** Where the loop says that the daemon died: the kernel's log. */
  readonly log?: string;
  /** A shell command that ends when the daemon is to be started for the first time, or $stopping is set. */
  readonly after?: string;
  /**
   * Debian's sysvinit kills all but the processes named here, a file each (initscripts, /etc/init.d/sendsigs).
   * undefined: nobody is told.
   */
  readonly omitDirectory?: string;
}

/** Debian's sysvinit looks here. */
export const OMIT_DIRECTORY = '/run/sendsigs.omit.d';

/**
 * A machine whose network comes up later, by whatever: some route is there then (/proc/net/route has a line of
 * headings). The loop's `pause` waits so many seconds.
 */
export const UNTIL_NETWORK =
  'until [ -n "$stopping" ] || { read -r heading && read -r row; } < /proc/net/route; do pause 1; done';

/** A daemon that ran this long had not failed at its start: the next failure starts again at no delay. */
const STABLE_SECONDS = 60;
const SLOWEST_RESTART_SECONDS = 16;

/**
 * $0: BusyBox, $1: the daemon's name, $2: the log, $3: what to wait for, $4: directory for process ids or nothing, then
 * the command. The first restart is at once, then the delay doubles.
 * Exit status 0 means that the daemon was told to end; SIGTERM to the loop is passed on and ends it.
 */
const LOOP = `
name=$1 log=$2 after=$3 omit=$4 delay=0 child= stopping=
shift 4
# Named like the daemon: systemd would kill an ordinary sleep at the end, and then wait ten seconds to hear of a child that
# is not its own.
pause() { (exec -a "$name-pause/sleep" "$0" "$1"); }
stop() { stopping=1; [ -z "$child" ] || kill -TERM "$child"; }
note() { [ -z "$omit" ] || echo "$2" > "$omit/\${name#@}$1"; }
trap stop TERM INT
bind() { mount -o bind /proc/1/root/$1 /$1; }
see() {
  [ -e /proc/1 ] || mount -t proc proc /proc
  [ -e /sys/block ] || bind sys
  [ -c /dev/null ] || bind dev
  [ -e /run/viver ] || [ ! -e /proc/1/root/run/viver ] || bind run
}
see
[ -z "$omit" ] || mkdir -p "$omit"
note -supervisor $$
eval "$after"
[ -z "$stopping" ] || exit 0
while :; do
  read -r started rest < /proc/uptime
  (exec -a "$name" "$@") &
  child=$!
  note '' $child
  [ -z "$stopping" ] || kill -TERM "$child" # told before there was a child to tell
  wait "$child"; status=$?
  see
  # wait also ends when a trap runs: then the child is still there.
  while kill -0 "$child" 2>/dev/null; do wait "$child"; status=$?; done
  child=
  [ "$status" != 0 ] && [ -z "$stopping" ] || exit 0
  read -r ended rest < /proc/uptime
  [ $((\${ended%.*} - \${started%.*})) -lt ${STABLE_SECONDS} ] || delay=0
  echo "viver: $name ended with status $status, starts again in $delay s" >> "$log"
  [ "$delay" = 0 ] || pause "$delay"
  [ -z "$stopping" ] || exit 0
  delay=$((delay * 2 + 1))
  [ "$delay" -le ${SLOWEST_RESTART_SECONDS} ] || delay=${SLOWEST_RESTART_SECONDS}
done
`;

/** Program and arguments of the loop; `argv0` is what it must be called by. */
export interface SupervisorPlan {
  readonly file: string;
  readonly argv0: string;
  readonly args: readonly string[];
}

export function planSupervisor(daemon: SupervisedDaemon): SupervisorPlan {
  const { command, name, busybox, log = '/dev/kmsg', after = '', omitDirectory = '' } = daemon;
  if (command.length === 0) throw new Error(`supervisor of ${name}: no command`);
  // BusyBox takes its applet from what follows the last slash of the name it is called by.
  return {
    file: busybox,
    argv0: `${name}-supervisor/sh`,
    args: ['-c', LOOP, busybox, name, log, after, omitDirectory, ...command],
  };
}

/**
 * Starts the loop, and with it the daemon, as a session of its own that outlives this process.
 * @param stdio of loop and daemon; nothing in it may end with this process
 */
export function startSupervisor(daemon: SupervisedDaemon, stdio: StdioOptions = 'inherit'): ChildProcess {
  const { file, argv0, args } = planSupervisor(daemon);
  const child = spawn(file, args, { argv0, detached: true, stdio, cwd: '/' });
  child.unref();
  return child;
}
