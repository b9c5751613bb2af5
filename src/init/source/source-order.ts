import type { BootOptions } from '../command-line.ts';

/** Where an image may come from: a medium of this machine, or the field on the network. */
export type SourceKind = 'local' | 'net';

type Asked = Pick<BootOptions, 'media' | 'peers' | 'origins' | 'ip' | 'bootMac'>;

/**
 * Whether the network is brought up from the start: it is asked for (`viver.media=` with net), or the command line is
 * that of a machine on a network (PXE's BOOTIF=, `viver.peer=`, `viver.origin=`, `viver.ip=`).
 */
export function wantsNetwork({ media, peers, origins, ip, bootMac }: Asked): boolean {
  if (media?.includes('net') === true || ip !== undefined) return true;
  return media === undefined && (peers.length > 0 || origins.length > 0 || bootMac !== undefined);
}

/**
 * In which order sources are tried. `viver.media=` says it, and what is not in it is not tried; net stands for itself
 * there, all else is one search. Without that word media come first, since they ask nobody; the network is the last.
 */
export function sourceOrder({ media }: Pick<BootOptions, 'media'>): readonly SourceKind[] {
  if (media === undefined) return ['local', 'net'];
  const isNetFirst = media[0] === 'net';
  const hasLocal = media.some((medium) => medium !== 'net');
  return [
    ...(isNetFirst ? (['net'] as const) : []),
    ...(hasLocal ? (['local'] as const) : []),
    ...(!isNetFirst && media.includes('net') ? (['net'] as const) : []),
  ];
}
