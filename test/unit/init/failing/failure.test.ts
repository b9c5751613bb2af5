import { expect, test } from 'vitest';
import { BootFailure, explainFailure } from '../../../../src/init/failing/failure.ts';

test('a failure says what failed, what was seen, what to try, a line each', () => {
  const failure = new BootFailure('no disk image was found', { saw: ['/dev/sda (usb): vfat'], tryThis: ['type exit'] });
  expect(explainFailure(failure)).toEqual([
    'viver: boot failed: no disk image was found',
    'viver:   saw /dev/sda (usb): vfat',
    'viver:   try type exit',
  ]);
});

test('any other error is told with its causes and a way to learn more', () => {
  const [first, ...rest] = explainFailure(new Error('mount /dev/sda', { cause: new Error('EIO') }));
  expect(first).toBe('viver: boot failed: mount /dev/sda: EIO');
  expect(rest.length).toBeGreaterThan(0);
});
