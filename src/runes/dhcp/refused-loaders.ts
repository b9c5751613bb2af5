/**
 * Which UEFI machines refuse a loader that is not signed: a machine was named iPXE, and asks for a loader again without
 * iPXE having asked in between. Its firmware has Secure Boot on, or it was switched off meanwhile: what it is sent then
 * starts in both cases. Pure; reads what dnsmasq logs of each question (log-dhcp).
 */

// From the line's start on: what a client calls itself is in these lines too, and could read like another one.
const CLASS = /^dnsmasq-dhcp\[\d+\]: (\d+) (vendor|user) class: (.*)$/;
const ACK = /^dnsmasq-dhcp\[\d+\]: (\d+) DHCPACK\(\S+\) [\d.]+ ([0-9a-f]{2}(?::[0-9a-f]{2}){5})\b/;
/** Option 93: UEFI x64 (7, 9), by HTTP too (16). */
const UEFI_X64 = /^(?:PXE|HTTP)Client:Arch:000(?:07|09|16)/;
/** The same question, repeated. */
const REPEATED_MS = 5000;
/** Anybody can make up machines. */
const MOST = 4096;

export class RefusedLoaders {
  /** When each was named iPXE last without running it, in the order of that. */
  readonly #named = new Map<string, number>();
  readonly #refusing = new Set<string>();
  #last: { readonly transaction: string; readonly isUefi: boolean; readonly isIpxe: boolean } | undefined;

  /** The machines that are to get a signed loader. */
  get macs(): ReadonlySet<string> {
    return this.#refusing;
  }

  /** @returns the MAC that this line of dnsmasq's adds to them */
  hear(line: string, nowMs: number): string | undefined {
    const [, transaction, kind, name = ''] = CLASS.exec(line) ?? [];
    if (transaction !== undefined) {
      const last = this.#last;
      const before = last?.transaction === transaction ? last : undefined;
      const isIpxe = before?.isIpxe === true || (kind === 'user' && name.trim() === 'iPXE');
      const isUefi = before?.isUefi === true || (kind === 'vendor' && UEFI_X64.test(name));
      this.#last = { transaction, isUefi, isIpxe };
      return undefined;
    }
    const [, of, mac] = ACK.exec(line) ?? [];
    const last = this.#last;
    if (mac === undefined || last === undefined || last.transaction !== of || !last.isUefi) return undefined;
    if (last.isIpxe) {
      this.#named.delete(mac);
      this.#refusing.delete(mac);
      return undefined;
    }
    const namedMs = this.#named.get(mac);
    if (namedMs !== undefined && nowMs - namedMs < REPEATED_MS) return undefined;
    this.#named.delete(mac);
    this.#named.set(mac, nowMs);
    const [oldest] = this.#named.keys();
    if (this.#named.size > MOST && oldest !== undefined) this.#named.delete(oldest);
    if (namedMs === undefined || this.#refusing.has(mac) || this.#refusing.size >= MOST) return undefined;
    this.#refusing.add(mac);
    return mac;
  }
}
