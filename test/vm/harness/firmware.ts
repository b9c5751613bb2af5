/** What a machine's firmware is, by the word a scenario has for it. */
export type Firmware = 'bios' | 'uefi' | 'uefi-ia32' | 'secure-boot';

export interface UefiFiles {
  /** Read-only code, and the variables that each machine gets a copy of. */
  readonly code: string;
  readonly variables: string;
  /** Built to keep its variables from the system by system management mode, which the machine must then have. */
  readonly smm: boolean;
}

const OVMF = '/usr/share/OVMF';

export const UEFI_FILES: Readonly<Record<Exclude<Firmware, 'bios'>, UefiFiles>> = {
  uefi: { code: `${OVMF}/OVMF_CODE_4M.fd`, variables: `${OVMF}/OVMF_VARS_4M.fd`, smm: false },
  'uefi-ia32': { code: `${OVMF}/OVMF32_CODE_4M.secboot.fd`, variables: `${OVMF}/OVMF32_VARS_4M.fd`, smm: true },
  // Microsoft's keys, as machines are sold with them; Secure Boot is on.
  'secure-boot': { code: `${OVMF}/OVMF_CODE_4M.ms.fd`, variables: `${OVMF}/OVMF_VARS_4M.ms.fd`, smm: true },
};
