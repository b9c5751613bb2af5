import type { NbdAddress } from './server.ts';

/** Where a field's block device appears: a socket for any NBD client, or a device of this kernel. */
export type NbdTarget = { readonly kind: 'socket'; readonly address: NbdAddress } | KernelTarget;
/** `index` undefined: the first free device. */
export type KernelTarget = { readonly kind: 'kernel'; readonly index: number | undefined };

/**
 * Reads `unix:PATH`, `tcp:ADDR:PORT` (IPv6 in brackets), `/dev/nbdN`, or `/dev/nbd` for the first free device.
 * @throws Error naming what is wrong
 */
export function parseNbdTarget(text: string): NbdTarget {
  const device = /^\/dev\/nbd(\d*)$/.exec(text);
  if (device !== null) return { kind: 'kernel', index: device[1] === '' ? undefined : Number(device[1]) };
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (path === '') throw new Error(`NBD address '${text}': the path is missing`);
    return { kind: 'socket', address: { path } };
  }
  const tcp = /^tcp:(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = tcp?.[1] ?? tcp?.[2];
  const port = Number(tcp?.[3]);
  if (host === undefined || port > 65535) {
    throw new Error(`NBD address '${text}' is none of unix:PATH, tcp:ADDR:PORT, /dev/nbdN`);
  }
  return { kind: 'socket', address: { host, port } };
}
