import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { i32le } from '../../codec/struct.ts';
import { SyscallError } from '../errno.ts';
import { ioctl } from '../ioctl.ts';
import { addressOf, call, cString } from '../libc.ts';

const SOL_SOCKET = 1;
const SO_RCVLOWAT = 18;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IP_MULTICAST_ALL = 49;
const TCP_CONGESTION = 13;
/** The same number as TIOCOUTQ: include/uapi/linux/sockios.h, tcp(7). */
const SIOCOUTQ = 0x5411;

interface Value {
  readonly bytes: Uint8Array;
  readonly address: bigint;
}

let shared: Value | undefined;

/**
 * Four bytes that the kernel reads or writes, on an ArrayBuffer of their own, so that they never move. Made when they are
 * first wanted: what a start-up snapshot holds has another address in the process that it becomes.
 */
function sharedValue(): Value {
  if (shared === undefined) {
    const bytes = new Uint8Array(new ArrayBuffer(i32le.size));
    shared = { bytes, address: addressOf(bytes) };
  }
  return shared;
}

function setOption(op: string, fd: number, level: number, option: number, wanted: number): void {
  const { bytes, address } = sharedValue();
  i32le.write(wanted, bytes, 0);
  call(op, 'socket', (c) => c.setsockopt(fd, level, option, address, bytes.length));
}

/** Node has no functions for these options, and gives away the descriptor only here. */
function descriptorOf(socket: Socket | Server): number | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  const fd = handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

/**
 * SO_RCVLOWAT, socket(7): the socket counts as readable only when so many bytes are there (or it has ended). What comes
 * in many small packets then wakes its reader once.
 * @param bytes at least 1; the kernel makes the receive buffer large enough for twice as many
 * @returns false when this socket has no descriptor (it is closed, or not of a kind that has one)
 */
export function setReceiveLowWater(socket: Socket, bytes: number): boolean {
  const fd = descriptorOf(socket);
  if (fd === undefined) return false;
  setOption('setsockopt SO_RCVLOWAT', fd, SOL_SOCKET, SO_RCVLOWAT, bytes);
  return true;
}

/**
 * IP_MULTICAST_ALL off, ip(7): a socket bound to no address hears only those groups that it has joined itself. Linux
 * otherwise gives it whatever any socket of the machine has joined.
 * @returns false when Node does not let its descriptor be found
 */
export function hearOwnGroupsOnly(socket: UdpSocket): boolean {
  // dgram keeps its handle behind a symbol; the public way to it says that it is deprecated.
  const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const { handle } = (state === undefined ? {} : Reflect.get(socket, state)) as { handle?: { fd?: number } };
  const fd = handle?.fd;
  if (fd === undefined || fd < 0) return false;
  setOption('setsockopt IP_MULTICAST_ALL', fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  return true;
}

/**
 * TCP_CONGESTION, tcp(7), for all connections that a server takes from now on.
 * @param name as in /proc/sys/net/ipv4/tcp_available_congestion_control
 * @returns false when the kernel has none of that name, or lets only root use it
 */
export function setCongestionControl(server: Server, name: string): boolean {
  const fd = descriptorOf(server);
  if (fd === undefined) return false;
  const bytes = cString(name);
  try {
    call(`setsockopt TCP_CONGESTION ${name}`, 'socket', (c) =>
      c.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, addressOf(bytes), bytes.length),
    );
  } catch (error) {
    if (error instanceof SyscallError && (error.code === 'ENOENT' || error.code === 'EPERM')) return false;
    throw error;
  }
  return true;
}

/**
 * SIOCOUTQ, tcp(7).
 * @returns bytes that were written to a connection and that the other end has not acknowledged; undefined when it is closed
 */
export function unacknowledgedBytes(socket: Socket): number | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  const { bytes } = sharedValue();
  ioctl('SIOCOUTQ', 'socket', fd, SIOCOUTQ, bytes);
  return i32le.read(bytes, 0)[0];
}
