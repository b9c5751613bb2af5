import { isIPv4 } from 'node:net';

/** Where a machine that boots by network is, in this order. */
export type BootStep = 'address' | 'loader' | 'script' | 'kernel' | 'initrd' | 'started';
export const BOOT_STEPS: readonly BootStep[] = ['address', 'loader', 'script', 'kernel', 'initrd', 'started'];

/** What a server noticed of a machine that boots. */
export interface BootNews {
  readonly address: string;
  readonly mac?: string;
  readonly step: BootStep;
  /** How much of that file it has, 0 to 1. */
  readonly share?: number;
}

/** A machine that boots and is not in the field yet, as one server saw it. */
export interface LoadingMachine {
  readonly address: string;
  readonly mac: string | null;
  readonly step: BootStep;
  readonly share: number | null;
  /** Since anything was heard of it. */
  readonly silentSeconds: number;
  /** Since it began to boot. */
  readonly seconds: number;
}

interface Known extends BootNews {
  readonly beganMs: number;
  readonly heardMs: number;
}

/** A machine that was silent for so long and asks for an address has been switched on anew. */
const ANEW_MS = 60_000;
/** It has chosen its own disk, was switched off, or never came up. */
const FORGOTTEN_MS = 600_000;
const MOST_MACHINES = 1024;

/** Machines on their way, by what they asked this server for. Pure. */
export class BootProgress {
  readonly #known = new Map<string, Known>();

  hear(news: BootNews, nowMs: number): void {
    const { address, step } = news;
    const before = this.#known.get(address);
    const isAnew = before === undefined || nowMs - before.heardMs > ANEW_MS;
    // The loader and the kernel ask for an address again.
    if (step === 'address' && !isAnew) return;
    const mac = news.mac ?? before?.mac;
    const beganMs = isAnew && step === 'address' ? nowMs : (before?.beganMs ?? nowMs);
    this.#known.delete(address); // to the end: the first in the map is the one longest silent
    this.#known.set(address, { ...news, ...(mac === undefined ? {} : { mac }), beganMs, heardMs: nowMs });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_MACHINES && oldest !== undefined) this.#known.delete(oldest);
  }

  /** It boots something else. */
  forget(address: string): void {
    this.#known.delete(address);
  }

  list(nowMs: number): readonly LoadingMachine[] {
    for (const [address, { heardMs }] of this.#known) if (nowMs - heardMs > FORGOTTEN_MS) this.#known.delete(address);
    return [...this.#known.values()].map(({ address, mac, step, share, heardMs, beganMs }) => ({
      address,
      mac: mac ?? null,
      step,
      share: share ?? null,
      silentSeconds: Math.round((nowMs - heardMs) / 1000),
      seconds: Math.round((nowMs - beganMs) / 1000),
    }));
  }
}

/** A line of dnsmasq's about an address it gave or a boot loader it named, without its beginning; undefined for others. */
export function dhcpNews(line: string): BootNews | undefined {
  const [, address = '', mac] =
    /^(?:DHCPACK|PXE)\(\S+\) (\d+\.\d+\.\d+\.\d+) ([0-9a-f]{2}(?::[0-9a-f]{2}){5})\b/.exec(line) ?? [];
  return mac === undefined || !isIPv4(address) ? undefined : { address, mac, step: 'address' };
}

/** A line of dnsmasq's about a file it sent by TFTP: `sent /path/undionly.kpxe to 10.86.0.7`. */
export function tftpNews(line: string): BootNews | undefined {
  const [, file = '', address = ''] = /^sent \S*\/(\S+) to (\d+\.\d+\.\d+\.\d+)$/.exec(line) ?? [];
  if (!isIPv4(address)) return undefined;
  // GRUB, with Secure Boot on, has the kernel by TFTP; the first stage loads the initrd.
  if (file === 'vmlinuz') return { address, step: 'kernel', share: 1 };
  if (file === 'first-stage.zst') return { address, step: 'initrd', share: 0 };
  return { address, step: /^(grub\.cfg|([0-9a-f]{2}:){5}[0-9a-f]{2})$/.test(file) ? 'script' : 'loader' };
}

/** What a machine does that asks for a boot file; undefined for files that are not its system's. */
export function fileNews(address: string, file: string, share: number): BootNews | undefined {
  if (file === 'vmlinuz') return { address, step: 'kernel', share };
  if (file === 'first-stage.zst') return { address, step: 'initrd', share: 0 };
  if (file === 'viverrd.zst') return share >= 1 ? { address, step: 'started' } : { address, step: 'initrd', share };
  return undefined;
}

const WORDS: Readonly<Record<BootStep, string>> = {
  address: 'has an address, loads the boot loader',
  loader: 'has the boot loader',
  script: 'has the boot menu',
  kernel: 'loads the kernel',
  initrd: 'loads the initrd',
  started: 'has everything, its kernel starts',
};

/** Where it is, in words. */
export function describeStep({ step, share }: Pick<LoadingMachine, 'step' | 'share'>): string {
  return share === null ? WORDS[step] : `${WORDS[step]}, ${Math.floor(share * 100)} %`;
}

/** Of what several servers say of the same machine, what is newest. */
export function newestOf(lists: readonly (readonly LoadingMachine[])[]): readonly LoadingMachine[] {
  const newest = new Map<string, LoadingMachine>();
  for (const one of lists.flat()) {
    const other = newest.get(one.address);
    const isNewer = other === undefined || one.silentSeconds < other.silentSeconds;
    const isFurther =
      one.silentSeconds === other?.silentSeconds && BOOT_STEPS.indexOf(one.step) > BOOT_STEPS.indexOf(other.step);
    if (isNewer || isFurther) newest.set(one.address, { ...one, mac: one.mac ?? other?.mac ?? null });
    else newest.set(one.address, { ...other, mac: other.mac ?? one.mac });
  }
  return [...newest.values()].sort((a, b) => b.seconds - a.seconds);
}
