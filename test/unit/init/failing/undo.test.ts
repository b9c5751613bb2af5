import { expect, test } from 'vitest';
import { mountsSinceNow, Undo } from '../../../../src/init/failing/undo.ts';
import { SyscallError } from '../../../../src/linux/errno.ts';

test('steps are taken back in reverse, each whatever became of the others', async () => {
  const order: string[] = [];
  const warnings: string[] = [];
  {
    await using undo = new Undo((text) => warnings.push(text));
    undo.add('the daemon', async () => void order.push('daemon'));
    undo.add('the disk', () => {
      throw new Error('it is busy');
    });
    undo.add('the root', () => void order.push('root'));
  }
  expect(order).toEqual(['root', 'daemon']);
  expect(warnings).toEqual(['the disk: not taken back: it is busy']);
});

test('what was mounted since is unmounted, the last first; what is in use goes from sight', () => {
  let table = [{ id: 1, target: '/' }];
  const calls: string[] = [];
  const undo = mountsSinceNow({
    read: () => table,
    umount: (target, flags = 0) => {
      calls.push(`${target} ${flags}`);
      if (target === '/busy' && flags === 0) throw new SyscallError('umount', target, 16);
    },
  });
  table = [...table, { id: 2, target: '/run/viver/cow' }, { id: 3, target: '/busy' }];
  undo();
  expect(calls).toEqual(['/busy 0', '/busy 2', '/run/viver/cow 0']);
});
