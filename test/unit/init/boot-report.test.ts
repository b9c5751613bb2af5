import { expect, test } from 'vitest';
import type { LoadOutcome } from '../../../src/hardware/load.ts';
import { summaryLine } from '../../../src/init/boot-report.ts';

const DEVICE = {
  name: 'sda2',
  path: '/dev/sda2',
  sysPath: '/devices/usb/block/sda/sda2',
  sizeBytes: 1,
  sectorBytes: 512,
  readOnly: false,
  removable: true,
  medium: 'usb',
  disk: 'sda',
  sequence: 1,
} as const;

function loaded(name: string): LoadOutcome {
  const module = {
    name,
    path: `/${name}.ko`,
    parameters: '',
    needs: [],
    after: [],
    reason: '',
    wantedBy: [],
    optional: false,
    atOnce: false,
    class: undefined,
  };
  return { kind: 'loaded', module, ms: 1 };
}

test('the summary line names image, medium, device, upper layer, modules and seconds', () => {
  const line = summaryLine({
    image: { name: 'debian', id: 'ab'.repeat(32), candidate: { device: DEVICE } },
    root: { cow: { kind: 'ram' } },
    outcomes: [loaded('usb_storage'), { ...loaded('sd_mod'), kind: 'present' }],
  });
  expect(line).toMatch(
    /^viver: root ready image=debian@abababababab medium=usb device=\/dev\/sda2 cow=ram modules=2 seconds=\d+\.\d\d$/,
  );
});

test('an image without an index has no id, and the line says so', () => {
  const image = { name: 'debian', id: undefined, candidate: { device: DEVICE } };
  expect(summaryLine({ image, root: { cow: { kind: 'ram' } }, outcomes: [] })).toContain('image=debian@unindexed ');
});
