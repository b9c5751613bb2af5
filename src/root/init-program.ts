/**
 * Whether the kernel can execute a program of the image: known before the switch, since after it there is no way back.
 * As the kernel looks at it: fs/binfmt_elf.c (load_elf_binary), fs/binfmt_script.c, and elf(5).
 */
import { resolveBelow } from './resolve-below.ts';
import type { RootReader } from './root-reader.ts';

/** What a file is to the kernel that is to execute it. */
export type Program =
  | {
      readonly kind: 'elf';
      readonly bits: 32 | 64;
      readonly machine: number;
      /** The loader that links it with its libraries; undefined: it needs none. */
      readonly interpreter: string | undefined;
    }
  | { readonly kind: 'script'; readonly interpreter: string }
  | { readonly kind: 'none'; readonly why: string };

/** Gives up to `length` bytes of a file at `offset`: fewer at its end. */
export type ReadBytes = (offset: number, length: number) => Uint8Array;

const HEADER_BYTES = 64;
/** BINPRM_BUF_SIZE: a script's first line counts no further. */
const SCRIPT_BYTES = 256;
const ET_EXEC = 2;
const ET_DYN = 3;
const PT_INTERP = 3;
/** PATH_MAX: a longer name of a loader is refused. */
const MOST_PATH_BYTES = 4096;
/** A table of program headers may be this long (ELF_MIN_ALIGN aside). */
const MOST_TABLE_BYTES = 65_536;

/** Where the two layouts have what is needed. */
const LAYOUTS = {
  32: { tableOffset: 28, entrySize: 42, entryCount: 44, entryBytes: 32, fileOffset: 4, fileSize: 16 },
  64: { tableOffset: 32, entrySize: 54, entryCount: 56, entryBytes: 56, fileOffset: 8, fileSize: 32 },
} as const;

const none = (why: string): Program => ({ kind: 'none', why });

/** Pure but for `read`. Never throws for what is in the file. */
export function decodeProgram(read: ReadBytes): Program {
  const start = read(0, SCRIPT_BYTES);
  if (start[0] === 0x23 && start[1] === 0x21) return decodeScript(start);
  if (start[0] !== 0x7f || start[1] !== 0x45 || start[2] !== 0x4c || start[3] !== 0x46)
    return none(start.length === 0 ? 'is empty' : 'is neither an ELF program nor a script with #!');
  return decodeElf(start, read);
}

function decodeScript(start: Uint8Array): Program {
  const line = Buffer.from(start.subarray(2)).toString('latin1').split('\n')[0] ?? '';
  const [interpreter = ''] =
    line
      .split('\0')[0]
      ?.trim()
      .split(/[ \t]+/) ?? [];
  if (!interpreter.startsWith('/')) return none('is a script whose #! line names no interpreter by its path');
  return { kind: 'script', interpreter };
}

function decodeElf(start: Uint8Array, read: ReadBytes): Program {
  const bits = start[4] === 1 ? 32 : start[4] === 2 ? 64 : undefined;
  if (start.length < HEADER_BYTES || bits === undefined) return none('is an ELF program cut short or damaged');
  const header = viewOf(start);
  // The machines that this is for are little-endian; another's numbers are told from by that alone.
  if (start[5] !== 1) return none('is a program for a big-endian machine');
  const type = header.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) return none('is an ELF file that is no program');
  const at = LAYOUTS[bits];
  const machine = header.getUint16(18, true);
  const entryCount = header.getUint16(at.entryCount, true);
  if (header.getUint16(at.entrySize, true) !== at.entryBytes || entryCount === 0)
    return none('is an ELF program without program headers');
  const tableBytes = entryCount * at.entryBytes;
  const table = read(wordAt(header, at.tableOffset, bits), tableBytes);
  if (tableBytes > MOST_TABLE_BYTES || table.length < tableBytes) return none('is an ELF program cut short or damaged');
  const entries = viewOf(table);
  for (let offset = 0; offset < tableBytes; offset += at.entryBytes) {
    if (entries.getUint32(offset, true) !== PT_INTERP) continue;
    const length = wordAt(entries, offset + at.fileSize, bits);
    const name = length > MOST_PATH_BYTES ? [] : read(wordAt(entries, offset + at.fileOffset, bits), length);
    if (length < 2 || name.length < length || name[length - 1] !== 0)
      return none('is an ELF program whose loader cannot be read');
    const interpreter = Buffer.from(name).toString('utf8').split('\0')[0];
    return { kind: 'elf', bits, machine, interpreter };
  }
  return { kind: 'elf', bits, machine, interpreter: undefined };
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** An address or offset; one above 2^53 is beyond the end of any file. */
function wordAt(view: DataView, offset: number, bits: 32 | 64): number {
  return bits === 32 ? view.getUint32(offset, true) : Number(view.getBigUint64(offset, true));
}

/** e_machine, include/uapi/linux/elf-em.h. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC 64',
  22: 's390',
  40: 'ARM',
  62: 'x86-64',
  183: 'arm64',
  243: 'RISC-V',
  258: 'LoongArch',
};

interface Processor {
  readonly name: string;
  readonly runs: readonly number[];
}

/** What a kernel for each processor may run: its own programs, and those of its 32-bit elder where it is configured to. */
const PROCESSORS: Partial<Record<NodeJS.Architecture, Processor>> = {
  x64: { name: 'x86-64', runs: [62, 3] },
  arm64: { name: 'arm64', runs: [183, 40] },
};

/** The kernel follows so many interpreters of interpreters (fs/exec.c, exec_binprm). */
const MOST_INTERPRETERS = 5;

/**
 * Why the kernel would refuse to execute a program below `root`, in words that follow its name; undefined: nothing speaks
 * against it.
 * @param path of the program, in the root; may be a link
 */
export function whyNotRunnable(
  root: string,
  path: string,
  reader: RootReader,
  architecture: NodeJS.Architecture = process.arch,
): string | undefined {
  return whyNot(root, path, reader, PROCESSORS[architecture], 0);
}

function whyNot(
  root: string,
  path: string,
  reader: RootReader,
  processor: Processor | undefined,
  depth: number,
): string | undefined {
  const file = resolveBelow(root, path, reader);
  if (file === undefined) return 'is not in the image';
  if (reader.kind(root + file) !== 'executable') return 'is not executable';
  const program = decodeProgram((offset, length) => reader.bytes(root + file, offset, length));
  if (program.kind === 'none') return program.why;
  if (program.kind === 'elf' && processor !== undefined && !processor.runs.includes(program.machine)) {
    const machine = MACHINES[program.machine] ?? `a machine of another kind (${program.machine})`;
    return `is a program for ${machine}, and this machine is ${processor.name}`;
  }
  const { interpreter } = program;
  if (interpreter === undefined) return undefined;
  if (depth >= MOST_INTERPRETERS) return 'is a script of a script, and so on: the kernel gives that up';
  const why = whyNot(root, interpreter, reader, processor, depth + 1);
  if (why === undefined) return undefined;
  return `needs ${program.kind === 'elf' ? 'the loader' : 'the interpreter'} ${interpreter}, which ${why}`;
}
