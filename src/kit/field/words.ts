import { parseArgs } from 'node:util';
import { parseByteCount } from '../../codec/byte-count.ts';
import { UsageError } from '../command.ts';

const OPTIONS = {
  image: { type: 'string' },
  index: { type: 'string' },
  id: { type: 'string' },
  name: { type: 'string' },
  listen: { type: 'string' },
  peer: { type: 'string', multiple: true },
  origin: { type: 'string', multiple: true },
  profile: { type: 'string' },
  keep: { type: 'string' },
  store: { type: 'string' },
  carried: { type: 'string' },
  nbd: { type: 'string' },
  control: { type: 'string' },
  key: { type: 'string' },
  keys: { type: 'string' },
  site: { type: 'string' },
  limit: { type: 'string' },
  refuse: { type: 'string', multiple: true },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

export type Values = ReturnType<typeof parseOptions>['values'];

/** @throws UsageError */
export function parseOptions(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Every option but these is refused. @throws UsageError */
export function onlyTakes(action: string, values: Values, ...allowed: readonly (keyof Values)[]): void {
  for (const name of Object.keys(values)) {
    if (!allowed.some((each) => each === name)) throw new UsageError(`${action} takes no --${name}`);
  }
}

/** Runs what may complain of a word of the command line. @throws UsageError */
export function word<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`--${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `64M` → 67108864. @throws UsageError */
export function parseBytes(option: string, text: string): number {
  const bytes = parseByteCount(text);
  if (bytes === undefined) throw new UsageError(`--${option}: '${text}' is no number of bytes (K, M, G, T may follow)`);
  return bytes;
}
