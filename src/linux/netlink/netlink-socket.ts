import { readdirSync } from 'node:fs';
import { decode, encode, padding, struct, u16le, u32le } from '../../codec/struct.ts';
import { SyscallError } from '../errno.ts';
import { addressOf, call, libc } from '../libc.ts';
import { type NativeSocket, netlinkAddon } from './netlink-addon.ts';

/** include/uapi/linux/netlink.h */
export const NETLINK = { ROUTE: 0, KOBJECT_UEVENT: 15, GENERIC: 16 } as const;

const AF_NETLINK = 16;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_PROTOCOL = 38;
const SO_MEMINFO = 55;
/** The last of the numbers of SO_MEMINFO, include/uapi/linux/sock_diag.h. */
const SK_MEMINFO_DROPS = 8;
const SOL_NETLINK = 270;
const NETLINK_NO_ENOBUFS = 5;

const sockaddrNl = struct('sockaddr_nl', [
  ['family', u16le],
  ['pad', padding(2)],
  ['port', u32le],
  ['groups', u32le],
]);

export interface NetlinkSocketOptions {
  /** Of NETLINK. */
  readonly protocol: number;
  /** Bit mask of the multicast groups 1 to 32 to hear from the start. */
  readonly groups?: number;
  /** What may wait unread, in bytes, past the system's limit (CAP_NET_ADMIN). Default: the system's. */
  readonly receiveBufferBytes?: number;
  /** A datagram. `sender` is 0 for the kernel, else the port of another process. */
  readonly onMessage: (bytes: Uint8Array, sender: number) => void;
  /** More came than the buffer holds, and messages are lost. */
  readonly onOverrun: () => void;
  /** Anything else; the socket is of no more use. */
  readonly onError: (error: Error) => void;
}

export interface NetlinkSocket extends Disposable {
  /** This socket's own address. */
  readonly port: number;
  /** Sends to the kernel; a failure goes to onError. */
  send(bytes: Uint8Array): void;
  addMembership(group: number): void;
  /** Whether the open socket keeps the process alive; it does until told otherwise. */
  keepAlive(keep: boolean): void;
  close(): void;
}

function failure(error: NodeJS.ErrnoException, target: string): Error {
  return error.errno === undefined
    ? error
    : new SyscallError(error.syscall ?? 'netlink', target, Math.abs(error.errno));
}

function isBoundTo(fd: number, port: number): boolean {
  const address = new Uint8Array(sockaddrNl.size);
  if (libc().getsockname(fd, address, encode(u32le, address.length)) === -1) return false;
  const bound = decode(sockaddrNl, address);
  return bound.family === AF_NETLINK && bound.port === port;
}

function protocolOf(fd: number): number {
  const protocol = new Uint8Array(u32le.size);
  libc().getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, protocol, encode(u32le, protocol.length));
  return decode(u32le, protocol);
}

/** The addon does not give its descriptor away; it is the one bound to our port, which other protocols have too. */
function descriptorOf(protocol: number, port: number, target: string): number {
  const descriptors = readdirSync('/proc/self/fd').map(Number);
  const found = descriptors.find((fd) => isBoundTo(fd, port) && protocolOf(fd) === protocol);
  if (found === undefined) throw new Error(`${target}: no descriptor is bound to port ${port}`);
  return found;
}

function setOption(fd: number, target: string, [level, option]: readonly [number, number], value: number): void {
  const bytes = encode(u32le, value);
  call(`setsockopt ${option}`, target, (c) => c.setsockopt(fd, level, option, addressOf(bytes), bytes.length));
}

/** Messages lost so far because the buffer was full. */
function readDrops(fd: number, target: string): number {
  const numbers = new Uint32Array(SK_MEMINFO_DROPS + 1);
  const bytes = new Uint8Array(numbers.buffer);
  const length = encode(u32le, bytes.length);
  call('getsockopt SO_MEMINFO', target, (c) => c.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, bytes, length));
  return numbers[SK_MEMINFO_DROPS] ?? 0;
}

function prepare(native: NativeSocket, options: NetlinkSocketOptions, target: string): { port: number; fd: number } {
  native.bind(0, options.groups ?? 0);
  const { port } = native.address();
  const fd = descriptorOf(options.protocol, port, target);
  // The kernel reports lost messages as a socket error, on which the addon ends the process (it makes a string of
  // NULL, PollHandler in its binding.cc). So the kernel is told not to, and the counter is looked at instead.
  setOption(fd, target, [SOL_NETLINK, NETLINK_NO_ENOBUFS], 1);
  if (options.receiveBufferBytes !== undefined) {
    setOption(fd, target, [SOL_SOCKET, SO_RCVBUFFORCE], options.receiveBufferBytes);
  }
  return { port, fd };
}

/** Runs `action`; an error of the addon becomes one of ours. */
function translated<T>(target: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw failure(error as NodeJS.ErrnoException, target);
  }
}

/**
 * An AF_NETLINK socket, netlink(7), read by the event loop.
 * @throws SyscallError: EPROTONOSUPPORT when the kernel lacks the protocol, EPERM without CAP_NET_ADMIN
 */
export function openNetlink(options: NetlinkSocketOptions): NetlinkSocket {
  const target = `netlink protocol ${options.protocol}`;
  let open = true;
  let drops = 0;
  // An error thrown into the addon would end the process without a word, hence by way of the event loop.
  const guarded = (handler: () => void) => {
    try {
      if (open) handler();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  };
  const onError = (error: NodeJS.ErrnoException) => guarded(() => options.onError(failure(error, target)));
  const onMessage = (bytes: Uint8Array, sender: number) => {
    options.onMessage(bytes, sender);
    // A full buffer holds messages, so a loss is always followed by one.
    const before = drops;
    if (open) drops = readDrops(fd, target);
    if (drops !== before) options.onOverrun();
  };
  const native = translated(target, () => {
    const onBytes = (bytes: Buffer, sender: { port: number }) => guarded(() => onMessage(bytes, sender.port));
    return new (netlinkAddon().NativeNetlink)(options.protocol, 0, onBytes, onError);
  });
  // Later than now: closing from within one of its own callbacks, the addon would go on with what it just freed.
  const close = () => {
    if (open) setImmediate(() => native.close());
    open = false;
  };
  const { port, fd } = translated(target, () => {
    using failed = new DisposableStack();
    failed.defer(close);
    const prepared = prepare(native, options, target);
    failed.move();
    return prepared;
  });
  return {
    port,
    send(bytes) {
      if (!open) throw new Error(`${target}: send on a closed socket`);
      const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      native.send(0, 0, data, (error) => error !== undefined && onError(error));
    },
    addMembership: (group) => translated(target, () => native.addMembership(group)),
    keepAlive: (keep) => (keep ? native.ref() : native.unref()),
    close,
    [Symbol.dispose]: close,
  };
}
