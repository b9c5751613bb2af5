import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { hasCode } from './errno.ts';
import { call } from './libc.ts';

/** arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h */
const SYS_FINIT_MODULE: Partial<Record<NodeJS.Architecture, bigint>> = { x64: 313n, arm64: 273n };
/** include/uapi/linux/module.h; Linux 5.17 */
const MODULE_INIT_COMPRESSED_FILE = 4;
const O_NONBLOCK = 0o4000;
/** No module is near this; a damaged file must not fill the memory. */
const MAX_MODULE_BYTES = 512 * 1024 * 1024;

/**
 * finit_module(2): loads a module from its file.
 * @param params `name=value name2=value2`
 * @throws SyscallError: EEXIST when it is loaded already, ENOENT for symbols that no loaded module has, ENODEV when the
 *   module finds nothing to do, ENOEXEC when it is made for another kernel
 */
export function finitModule(path: string, params = '', flags = 0): void {
  const number = SYS_FINIT_MODULE[process.arch];
  if (number === undefined) throw new Error(`load ${path}: finit_module has no known number on ${process.arch}`);
  const fd = openSync(path, 'r');
  try {
    call('finit_module', path, (c) => c.syscall(number, BigInt(fd), params, BigInt(flags)));
  } finally {
    closeSync(fd);
  }
}

/** init_module(2): loads a module from memory. `name` is for errors only. */
export function initModule(bytes: Uint8Array, params = '', name = 'a module'): void {
  call('init_module', name, (c) => c.init_module(bytes, BigInt(bytes.length), params));
}

/**
 * Whether a module is in the kernel and has started (sysfs: /sys/module/NAME/initstate). What is built in is none.
 * @param name with `_` for `-`
 */
export function isModuleLive(name: string): boolean {
  const file = `/sys/module/${name}/initstate`;
  // An exception costs a hundred times what the question does.
  if (!existsSync(file)) return false;
  try {
    return readFileSync(file, 'latin1') === 'live\n';
  } catch {
    return false; // it has just gone
  }
}

/** delete_module(2): unloads. EBUSY or EAGAIN while it is in use. */
export function deleteModule(name: string): void {
  call('delete_module', name, (c) => c.delete_module(name, O_NONBLOCK));
}

/** Most modules unpack to less: they come in one piece, where Node would gather pieces of 16 KiB. */
const UNPACKED_BYTES = 256 * 1024;
const UNPACKING = { maxOutputLength: MAX_MODULE_BYTES, chunkSize: UNPACKED_BYTES };

/** Compressed modules of the initrd: as src/kit/initrd/ lays them out. In this process it takes less than to ask the kernel. */
const DECOMPRESSED_HERE: Readonly<Record<string, (packed: Uint8Array) => Uint8Array>> = {
  gz: (packed) => gunzipSync(packed, UNPACKING),
  zst: (packed) => zstdDecompressSync(packed, UNPACKING),
};

function decompressXz(path: string): Uint8Array {
  const options: ExecFileSyncOptions = { maxBuffer: MAX_MODULE_BYTES, stdio: ['ignore', 'pipe', 'pipe'] };
  try {
    return Buffer.from(execFileSync('xz', ['-dc', path], options));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return Buffer.from(execFileSync('busybox', ['xz', '-dc', path], options));
  }
}

const compressionOf = (path: string) => /\.ko\.(\w+)$/.exec(path)?.[1] ?? '';

/**
 * Loads `NAME.ko`, `.ko.gz` or `.ko.zst`, and `.ko.xz` if the kernel can decompress it; starts no process. The kernel
 * gets the module's own bytes, so a signature behind them holds.
 */
export function insertModuleFile(path: string, params = ''): void {
  const compression = compressionOf(path);
  const decompress = Object.hasOwn(DECOMPRESSED_HERE, compression) ? DECOMPRESSED_HERE[compression] : undefined;
  if (decompress === undefined) {
    finitModule(path, params, compression === 'xz' ? MODULE_INIT_COMPRESSED_FILE : 0);
    return;
  }
  initModule(decompressed(path, decompress), params, path);
}

function decompressed(path: string, decompress: (packed: Uint8Array) => Uint8Array): Uint8Array {
  const packed = readFileSync(path);
  try {
    return decompress(packed);
  } catch (cause) {
    throw new Error(`load ${path}: it is damaged: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** A module's own bytes, however its file is compressed. */
export function readModule(path: string): Uint8Array {
  const compression = compressionOf(path);
  const decompress = Object.hasOwn(DECOMPRESSED_HERE, compression) ? DECOMPRESSED_HERE[compression] : undefined;
  if (decompress !== undefined) return decompressed(path, decompress);
  return compression === 'xz' ? decompressXz(path) : readFileSync(path);
}

/** Whether `error` of insertModuleFile says: no decompression in this kernel, or for another format only (kernel/module/). */
export function kernelCannotDecompress(path: string, error: unknown): boolean {
  return compressionOf(path) === 'xz' && hasCode(error, 'EINVAL', 'EOPNOTSUPP', 'ENOEXEC');
}

/** As insertModuleFile, and `.ko.xz` also where the kernel cannot decompress it. */
export function insertModule(path: string, params = ''): void {
  try {
    insertModuleFile(path, params);
  } catch (error) {
    if (!kernelCannotDecompress(path, error)) throw error;
    initModule(decompressXz(path), params, path);
  }
}
