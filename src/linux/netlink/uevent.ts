import { NETLINK, openNetlink } from './netlink-socket.ts';

/** A change of a device, as the kernel tells it (lib/kobject_uevent.c). */
export interface Uevent {
  /** `add`, `remove`, `change`, `move`, `online`, `offline`, `bind` or `unbind`. */
  readonly action: string;
  /** Below /sys: `/devices/pci0000:00/…` */
  readonly devpath: string;
  readonly subsystem: string;
  /** Counts up by one with every event of the system. */
  readonly sequence: number;
  /** Everything the event carries: `MODALIAS`, `DEVNAME`, `DEVTYPE`, `DRIVER` …, and the above under their own names. */
  readonly env: Readonly<Record<string, string>>;
}

const decoder = new TextDecoder('utf-8');

/**
 * The event in a datagram: `ACTION@DEVPATH`, then `NAME=VALUE` strings, each ended by NUL.
 * Undefined for what is no event of the kernel, udev's own broadcasts ("libudev") among it.
 */
export function parseUevent(bytes: Uint8Array): Uevent | undefined {
  const [header = '', ...lines] = decoder.decode(bytes).split('\0');
  const env: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const equals = line.indexOf('=');
    if (equals > 0) env[line.slice(0, equals)] = line.slice(equals + 1);
  }
  const { ACTION: action, DEVPATH: devpath, SUBSYSTEM: subsystem, SEQNUM: sequence } = env;
  if (action === undefined || devpath === undefined || subsystem === undefined) return undefined;
  if (header !== `${action}@${devpath}` || !/^\d{1,15}$/.test(sequence ?? '')) return undefined;
  return { action, devpath, subsystem, sequence: Number(sequence), env };
}

/** The kernel's events are in group 1, udev's in group 2. */
const KERNEL_GROUP = 1;
/** Loading the drivers of 300 devices gives thousands of events, of about 1.3 KB each with the kernel's own share. */
const RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024;

export interface UeventHandlers {
  readonly onEvent: (event: Uevent) => void;
  /** Events were lost: look at /sys anew. */
  readonly onOverrun: () => void;
  readonly onError: (error: Error) => void;
}

/**
 * Hears the kernel's events from now on, until `signal` aborts. Does not keep the process alive.
 * Ask for what is there already only after this call, and nothing is missed.
 */
export function openUevents(handlers: UeventHandlers, signal: AbortSignal): void {
  if (signal.aborted) return;
  const socket = openNetlink({
    protocol: NETLINK.KOBJECT_UEVENT,
    groups: KERNEL_GROUP,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    onMessage(bytes, sender) {
      // Any process may send to this group's members.
      const event = sender === 0 ? parseUevent(bytes) : undefined;
      if (event !== undefined) handlers.onEvent(event);
    },
    onOverrun: handlers.onOverrun,
    onError: handlers.onError,
  });
  socket.keepAlive(false);
  signal.addEventListener('abort', () => socket.close(), { once: true });
}
