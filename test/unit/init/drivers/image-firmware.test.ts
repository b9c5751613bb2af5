import { expect, test } from 'vitest';
import { firmwareInImage, leaveToImage } from '../../../../src/init/drivers/image-firmware.ts';
import { SyscallError } from '../../../../src/linux/errno.ts';

const LACKS = [
  { module: 'alone', wantedBy: ['/devices/a'], named: 2, missing: ['x.fw', 'y.fw'] },
  { module: 'nobody', wantedBy: ['/devices/b'], named: 1, missing: ['z.fw'] },
  { module: 'works', wantedBy: ['/devices/c'], named: 1, missing: ['x.fw'] },
  { module: 'both', wantedBy: ['/devices/a', '/devices/c'], named: 1, missing: ['x.fw'] },
];

function run(refuse = false) {
  const unloaded: string[] = [];
  const fits = firmwareInImage(LACKS, (file) => file === 'x.fw');
  const control = {
    isDriven: (device: string) => device === '/devices/c',
    unload: (module: string) => {
      if (refuse) throw new SyscallError('delete_module', module, 16);
      unloaded.push(module);
    },
  };
  return { fits, lines: leaveToImage(fits, control), unloaded };
}

test('a driver that stands still for firmware is taken out, so that the image loads it with its own', () => {
  const { fits, lines, unloaded } = run();
  expect(fits.map(({ inImage }) => inImage)).toEqual([['x.fw'], [], ['x.fw'], ['x.fw']]);
  expect(unloaded).toEqual(['alone']);
  expect(lines).toEqual([
    ['alone', 'left to the image: the image has its firmware (x.fw)'],
    ['both', 'stays, and drives some only; the image has its firmware (x.fw)'],
  ]);
});

test('one that the kernel does not let go stays, and the reason is told', () => {
  expect(run(true).lines[0]?.[1]).toMatch(/^stays in the kernel \(delete_module alone: EBUSY .*though the image has/);
});
