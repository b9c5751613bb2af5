import { closeSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { getRawAsset, isSea } from 'node:sea';
import { call } from '../libc.ts';

/** A socket of the npm package `netlink`, as its addon (src/binding.cc there) makes it. Callbacks must never throw. */
export interface NativeSocket {
  /** Port 0 lets the kernel choose. `groups` is a bit mask of the first 32 multicast groups. */
  bind(port: number, groups: number): void;
  send(port: number, groups: number, data: Buffer, done: (error?: NodeJS.ErrnoException) => void): void;
  close(): void;
  ref(): void;
  unref(): void;
  address(): { port: number; groups: number };
  addMembership(group: number): void;
}

interface Binding {
  readonly NativeNetlink: new (
    protocol: number,
    /** Bytes a message may have; 0 finds out by peeking. */
    messageBytes: number,
    onMessage: (bytes: Buffer, sender: { port: number; groups: number; truncated?: number }) => void,
    onError: (error: NodeJS.ErrnoException) => void,
  ) => NativeSocket;
}

/** The build puts `prebuilds/linux-ARCH/node.napi.node` of the package into the single executable under this name. */
const ASSET = 'netlink.node';

const MFD_CLOEXEC = 1;

/**
 * The dynamic linker wants a file name: memory gets one through /proc, so nothing is written anywhere and a /run or
 * /tmp without exec does not matter.
 */
function openFromMemory(bytes: Uint8Array, open: (path: string) => void): void {
  const fd = call('memfd_create', ASSET, (c) => c.memfd_create(ASSET, MFD_CLOEXEC));
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
    open(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

/**
 * Only the addon of the package is used: it gives sockets that the event loop polls, in 0.2 ms; the package's whole
 * JavaScript would take 20 ms of every boot, mostly for Wi-Fi tables.
 */
function load(): Binding {
  const loaded: { exports: unknown } = { exports: {} };
  const open = (path: string) => process.dlopen(loaded, path);
  if (isSea()) {
    openFromMemory(new Uint8Array(getRawAsset(ASSET)), open);
  } else {
    const manifest = createRequire(import.meta.url).resolve('netlink/package.json');
    open(join(dirname(manifest), 'prebuilds', `linux-${process.arch}`, 'node.napi.node'));
  }
  return loaded.exports as Binding;
}

let binding: Binding | undefined;

/** Loaded at the first call, so that importing costs nothing. */
export function netlinkAddon(): Binding {
  binding ??= load();
  return binding;
}
