import { stat } from 'node:fs/promises';
import { cleanStore } from '../../image/clean-store.ts';
import { UsageError } from '../command.ts';
import { onlyTakes, type Values } from './words.ts';

/** `viver field clean DIR`. @throws Error when DIR is none, or lacks the index of the image to keep */
export async function clean(values: Values, words: readonly string[]): Promise<void> {
  onlyTakes('clean', values, 'id', 'dry-run');
  const [path, more] = words;
  if (path === undefined || more !== undefined) throw new UsageError('clean takes one DIR');
  const id = values.id?.toLowerCase();
  if (id !== undefined && !/^[0-9a-f]{64}$/.test(id)) throw new UsageError('--id takes 64 hex digits');
  if (!(await stat(path)).isDirectory()) throw new Error(`${path} is no directory`);
  const what = id === undefined ? 'unnamed chunks' : { otherThan: [id] };
  const isDryRun = values['dry-run'] === true;
  const { chunks, temporary, indexes, bytes } = await cleanStore(path, { what, isDryRun, nowMs: Date.now() });
  const verb = isDryRun ? 'would be removed' : 'removed';
  process.stdout.write(
    `${chunks} chunks, ${temporary} temporary files, ${indexes} indexes ${verb}: ${(bytes / 1e6).toFixed(1)} MB\n`,
  );
}
