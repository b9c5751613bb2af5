import { expect, test } from 'vitest';
import { isLayer, mountUnit, STORES } from '../../../src/root/beside.ts';
import { isolated } from '../linux/isolated.ts';

test('a mount unit has the name that systemd gives it', () => {
  expect(mountUnit('/var/lib/docker')).toBe('var-lib-docker.mount');
  expect(mountUnit('/var/lib/docker/overlay2/0a-b/diff')).toBe('var-lib-docker-overlay2-0a\\x2db-diff.mount');
});

test('layers of the image are shown, those of its containers copied', () => {
  const layers = STORES.find(({ path }) => path === '/var/lib/docker')?.layers ?? [];
  expect(isLayer('overlay2/abc/diff', layers, [])).toBe(true);
  expect(isLayer('overlay2/abc/diff', layers, ['abc'])).toBe(false);
  expect(isLayer('overlay2/abc', layers, [])).toBe(false);
  expect(isLayer('overlay2/abc/diff/x', layers, [])).toBe(false);
});

test('on the union an engine’s directory takes an overlay, with what the image has there', async () => {
  expect(await isolated('root/beside', ['--mount', '--propagation', 'private'])).toEqual({
    mounted: ['/var/lib/docker', '/var/lib/docker/overlay2/aaa/diff', '/var/lib/lxc'],
    database: 'database',
    layer: 'layer of the image',
    container: 'of a container',
    containerWritten: true,
    overlay: 'written',
    link: '../aaa/diff',
    mode: '710',
    second: { database: 'changed', mounted: ['/var/lib/docker', '/var/lib/docker/overlay2/aaa/diff', '/var/lib/lxc'] },
  });
});
