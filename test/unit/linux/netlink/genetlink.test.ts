import { beforeAll, expect, test } from 'vitest';
import { isolated } from '../isolated.ts';

let found: Record<string, unknown>;
beforeAll(async () => {
  found = (await isolated('linux/genetlink', ['--net'])) as Record<string, unknown>;
});

test('a family is found by its name, with its groups', () => {
  expect(found).toMatchObject({ name: 'ethtool', groups: ['monitor'] });
});

test('a command has its reply, with nested attributes both ways', () => {
  expect(found.device).toBe('left');
});

test('the notifications of a group are heard', () => {
  expect(found.notification).toBe('left');
});

test('a family that is not there and a refused command name themselves', () => {
  expect(found.errors).toEqual([
    'CTRL_CMD_GETFAMILY no such family: ENOENT (No such file or directory)',
    'LINKINFO_GET nothing: ENODEV (No such device)',
    'LINKINFO_GET nothing: EINVAL (Invalid argument)',
  ]);
});
