import { type ConfigFile, parseModprobeConfig } from '../../../src/hardware/modprobe-config.ts';
import { type ModuleIndex, moduleIndex } from '../../../src/hardware/module-index.ts';

/** An index over a module directory that exists in the test only; files as text. */
export function memoryModules(
  files: Readonly<Record<string, string>>,
  config: readonly ConfigFile[] = [],
): ModuleIndex {
  const problems: string[] = [];
  const soft = { name: 'modules.softdep', text: files['modules.softdep'] ?? '' };
  return moduleIndex(
    { directory: '/lib/modules/6.1', text: (name) => files[name], bytes: () => undefined },
    parseModprobeConfig([soft, ...config], problems),
    problems,
  );
}
