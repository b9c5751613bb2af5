import type { Socket } from 'node:net';
import { i32le } from '../codec/struct.ts';
import { call } from './libc.ts';

const SOL_SOCKET = 1;
const SO_RCVLOWAT = 18;

const value = new Uint8Array(4);

/**
 * SO_RCVLOWAT, socket(7): the socket counts as readable only when so many bytes are there (or it has ended). What comes
 * in many small packets then wakes its reader once.
 * @param bytes at least 1; the kernel makes the receive buffer large enough for twice as many
 * @returns false when this socket has no descriptor (it is closed, or not of a kind that has one)
 */
export function setReceiveLowWater(socket: Socket, bytes: number): boolean {
  // Node has no function for it, and gives away the descriptor only here.
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  const fd = handle?.fd;
  if (fd === undefined || fd < 0) return false;
  i32le.write(bytes, value, 0);
  call('setsockopt SO_RCVLOWAT', `socket ${fd}`, (c) => c.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, value, value.length));
  return true;
}
