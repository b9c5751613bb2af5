/** ELF programs as far as the kernel looks at them before it executes one. */
export interface Elf {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  /** 2: an executable, 3: one that may lie anywhere. */
  readonly type?: number;
  readonly interpreter?: string;
}

const OWN_MACHINE = process.arch === 'arm64' ? 183 : 62;

export function elf({ bits = 64, machine = OWN_MACHINE, type = 3, interpreter }: Elf): Uint8Array {
  const headerBytes = bits === 64 ? 64 : 52;
  const entryBytes = bits === 64 ? 56 : 32;
  const name = Buffer.from(interpreter === undefined ? '' : `${interpreter}\0`);
  const bytes = Buffer.alloc(Math.max(headerBytes + entryBytes + name.length, 128));
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
  bytes.writeUInt16LE(type, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(headerBytes, bits === 64 ? 32 : 28);
  bytes.writeUInt16LE(entryBytes, bits === 64 ? 54 : 42);
  bytes.writeUInt16LE(1, bits === 64 ? 56 : 44);
  bytes.writeUInt32LE(interpreter === undefined ? 1 : 3, headerBytes);
  bytes.writeUInt32LE(headerBytes + entryBytes, headerBytes + (bits === 64 ? 8 : 4));
  bytes.writeUInt32LE(name.length, headerBytes + (bits === 64 ? 32 : 16));
  bytes.set(name, headerBytes + entryBytes);
  return bytes;
}
