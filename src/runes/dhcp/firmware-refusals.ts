/**
 * Firmware that no boot loader is for is not answered, and it is said why, once for each machine. Pure; reads what dnsmasq
 * logs of each question (log-dhcp): the transaction, then what the client says of itself, then what came of it.
 */

/** Option 93, IANA's "Processor Architecture Types"; those that people have. */
const NAMES: Readonly<Record<number, string>> = {
  0: 'BIOS',
  6: 'UEFI ia32',
  7: 'UEFI x64',
  9: 'UEFI x64',
  10: 'UEFI arm32',
  11: 'UEFI arm64',
  15: 'UEFI ia32, boot by HTTP',
  16: 'UEFI x64, boot by HTTP',
  18: 'UEFI arm32, boot by HTTP',
  19: 'UEFI arm64, boot by HTTP',
  27: 'UEFI RISC-V 64',
  39: 'UEFI LoongArch 64',
  41: 'Raspberry Pi',
};

// From the line's start on: what a client calls itself is in these lines too, and could read like another one.
const VENDOR_CLASS = /^dnsmasq-dhcp\[\d+\]: (\d+) vendor class: (?:PXE|HTTP)Client:Arch:(\d{5})/;
const IGNORED =
  /^dnsmasq-dhcp\[\d+\]: (\d+) DHCPDISCOVER\(\S+\) (?:[\d.]+ )?([0-9a-f]{2}(?::[0-9a-f]{2}){5}) .*ignored/;
/** Anybody can make up machines. */
const MOST_TOLD = 500;

export class FirmwareRefusals {
  readonly #told = new Set<string>();
  #last: { readonly transaction: string; readonly architecture: number } | undefined;

  /** @returns a line for people, when this one of dnsmasq's is about a machine that gets no loader */
  hear(line: string): string | undefined {
    const [, transaction, architecture] = VENDOR_CLASS.exec(line) ?? [];
    if (transaction !== undefined) this.#last = { transaction, architecture: Number(architecture) };
    const [, ignored, mac] = IGNORED.exec(line) ?? [];
    if (ignored === undefined || mac === undefined || this.#last?.transaction !== ignored) return undefined;
    if (this.#told.has(mac) || this.#told.size >= MOST_TOLD) return undefined;
    this.#told.add(mac);
    const { architecture: number } = this.#last;
    return `${mac}: not answered: no boot loader here for its firmware (${NAMES[number] ?? 'unknown'}, architecture ${number})`;
  }
}
