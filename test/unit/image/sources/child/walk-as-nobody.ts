/** Run by walk.test.ts: walks TREE without any right, and prints how many entries there were and what it said. */
import { emptyReport, UnreadableFiles } from '../../../../../src/image/sources/report.ts';
import { openView } from '../../../../../src/image/sources/tree/view.ts';
import { walkTree } from '../../../../../src/image/sources/tree/walk.ts';

const [root = ''] = process.argv.slice(2);
process.setgid?.(65_534);
process.setgroups?.([]);
process.setuid?.(65_534);
let given = 0;
try {
  using view = openView({ root, isSystem: false, crossAll: false, asked: [] });
  for (const { path } of walkTree({ name: 'tree', ...view, report: emptyReport() })) given += path.length < 0 ? 0 : 1;
  process.stdout.write(JSON.stringify({ error: '', list: [], given }));
} catch (error) {
  if (!(error instanceof UnreadableFiles)) throw error;
  process.stdout.write(JSON.stringify({ error: error.message, list: error.list(), given }));
}
