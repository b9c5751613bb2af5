import { mkdtempSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { partialName } from '../output-file.ts';
import { sourceDate } from '../source-date.ts';
import { writeCompressed } from './compress.ts';
import type { KernelModules } from './find-modules.ts';
import type { KitFiles } from './kit-files.ts';
import { layModules } from './lay-modules.ts';
import { addEntry, addTree, bothArchives, fileEntry, type TreeEntries } from './tree-entries.ts';

export interface FirstStageRequest {
  readonly kit: KitFiles;
  readonly modules: KernelModules;
  /** Appears whole or not at all. */
  readonly output: string;
  /** Of zstd, 1 to 22. */
  readonly level: number;
  readonly signal: AbortSignal;
}

/**
 * Makes the archive that GRUB loads on a machine with Secure Boot on: drivers of network cards, BusyBox, and the script
 * that fetches the initrd (initrd/first-stage.init). All of it is compressed as one, since each round trip counts and the
 * memory is given back.
 * @throws Error saying what the kit or the modules lack
 */
export async function makeFirstStage({ kit, modules, output, level, signal }: FirstStageRequest): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'viver-first-stage-'));
  const partial = partialName(output);
  try {
    const list = 'first-stage.list';
    await layModules({ kit, modules, list, into: work, level, signal, onProgress: () => {} });
    const entries: TreeEntries = new Map();
    addTree(entries, kit.firstStage);
    addTree(entries, work);
    addEntry(entries, 'init', { ...fileEntry(join(kit.tables, 'first-stage.init')), executable: true });
    const seconds = sourceDate() ?? 0;
    await writeCompressed(partial, bothArchives(entries, seconds), { kit, compression: 'zstd', level, signal });
    await rename(partial, output);
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(partial, { force: true });
  }
}
