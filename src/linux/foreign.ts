import type { DynamicLibrary, FunctionSignature, WrappedFunction } from 'node:ffi';

export type Ffi = typeof import('node:ffi');
export type { DynamicLibrary, FunctionSignature, WrappedFunction };

/** What a library is asked for, by the functions' own names. Sizes and flags wider than 32 bits are u64. */
export type Signatures = Readonly<Record<string, FunctionSignature>>;

type NumberLike = 'i32' | 'u32' | 'u16';
type ValueOf<T> = T extends NumberLike
  ? number
  : T extends 'i64' | 'u64'
    ? bigint
    : T extends 'string'
      ? string | null
      : T extends 'buffer'
        ? Uint8Array
        : T extends 'pointer'
          ? bigint | null
          : undefined;
type Arguments<A> = A extends readonly string[] ? { -readonly [K in keyof A]: ValueOf<A[K]> } : [];

/** A library's functions under their own names, typed by their signatures. */
export type Functions<S extends Signatures> = {
  readonly [K in keyof S]: (
    ...args: Arguments<S[K]['arguments']>
  ) => S[K]['return'] extends 'pointer' ? bigint : ValueOf<S[K]['return']>;
};

let loaded: Ffi | undefined;

/**
 * node:ffi, loaded at its first use (about 2 ms). It says once per process that it is experimental. VIVER is built with
 * exactly one Node, so the warning tells its user nothing: this one is dropped, every other passes.
 */
export function foreign(): Ffi {
  if (loaded !== undefined) return loaded;
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (rest[0] === 'ExperimentalWarning' && String(warning).startsWith('FFI ')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    loaded = process.getBuiltinModule('node:ffi');
    return loaded;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** The functions of an opened library; each is looked up at its first use. */
export function bindFunctions<const S extends Signatures>(library: DynamicLibrary, signatures: S): Functions<S> {
  const functions = {};
  for (const [name, signature] of Object.entries(signatures)) {
    Object.defineProperty(functions, name, {
      configurable: true,
      get(): WrappedFunction {
        const value: WrappedFunction = library.getFunction(name, signature);
        Object.defineProperty(functions, name, { value });
        return value;
      },
    });
  }
  return functions as Functions<S>;
}
