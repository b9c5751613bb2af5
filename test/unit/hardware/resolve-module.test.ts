import { expect, test } from 'vitest';
import { resolveModule } from '../../../src/hardware/resolve-module.ts';
import { memoryModules } from './memory-modules.ts';

const FILES = {
  'modules.dep': 'kernel/a.ko: kernel/b.ko\nkernel/b.ko:\nkernel/c.ko: kernel/gone.ko\n',
  'modules.builtin': 'kernel/inside.ko\n',
};

function resolve(name: string, by: 'device' | 'name', config = '', aliases = '') {
  const index = memoryModules({ ...FILES, 'modules.alias': aliases }, [{ name: 'c.conf', text: config }]);
  return resolveModule(name, index, by).map(({ module, verdict, reason }) => `${module} ${verdict} ${reason}`.trim());
}

test('a module, a built-in one, and one that is not there', () => {
  expect(resolve('a', 'device')).toEqual(['a load']);
  expect(resolve('inside', 'device')).toEqual(['inside builtin built into the kernel']);
  expect(resolve('none', 'device')).toEqual(['none missing no such module in /lib/modules/6.1']);
});

test('an alias of an alias leads to the module, one that goes round to nothing', () => {
  expect(resolve('first', 'name', '', 'alias first second\nalias second third\nalias third a\n')).toEqual(['a load']);
  expect(resolve('first', 'name', '', 'alias first second\nalias second first\n')).toEqual([
    'first missing its aliases lead to no module',
  ]);
  expect(resolve('both', 'name', '', 'alias both a\nalias both b\n')).toEqual(['a load', 'b load']);
});

test('a blacklist refuses devices, not names', () => {
  expect(resolve('a', 'device', 'blacklist a\n')).toEqual(['a blacklisted blacklisted by c.conf:1']);
  expect(resolve('a', 'name', 'blacklist a\n')).toEqual(['a load']);
});

test('what is forbidden is refused to everybody, also as a dependency', () => {
  expect(resolve('b', 'name', 'install b /bin/true\n')).toEqual(['b blacklisted forbidden by c.conf:1']);
  expect(resolve('a', 'name', 'install b /bin/true\n')).toEqual(['a blacklisted needs b, forbidden by c.conf:1']);
  expect(resolve('zap', 'name', 'alias zap off\n')).toEqual(['zap blacklisted alias zap off']);
});

test('a module whose dependency is not there is missing, with the name of what it lacks', () => {
  expect(resolve('c', 'device')).toEqual(['c missing needs gone, which is not in /lib/modules/6.1']);
});

test('an alias that leads to off or null says no, to devices too', () => {
  expect(resolve('zap', 'device', 'alias zap null\n')).toEqual(['zap blacklisted alias zap null']);
  // The configuration's alias counts before the module of that name and before modules.alias.
  expect(resolve('a', 'name', 'alias a off\n')).toEqual(['a blacklisted alias a off']);
  expect(resolve('pci:x', 'device', 'alias pci:* off\n', 'alias pci:x a\n')).toEqual([
    'pci:x blacklisted alias pci:x off',
  ]);
  // As in kmod, what an alias led to is a module's name and no alias once more.
  expect(resolve('pci:x', 'device', 'alias a off\n', 'alias pci:x a\n')).toEqual(['a load']);
});

test('a name that is built in and an alias at once means the modules of the alias, as in kmod', () => {
  expect(resolve('inside', 'name', '', 'alias inside a\n')).toEqual(['a load']);
  expect(resolve('inside', 'name', '', 'alias inside inside\n')).toEqual(['inside builtin built into the kernel']);
});
