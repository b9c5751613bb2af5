import { expect, test } from 'vitest';
import { describeBytes } from '../../vm/harness/cluster.ts';
import { milestoneOf } from '../../vm/harness/milestones.ts';
import { noBytes } from '../../vm/harness/traffic.ts';

const LINES: readonly (readonly [string, string | undefined])[] = [
  ['SeaBIOS (version 1.16.2-debian-1.16.2-1)', 'BIOS'],
  ['net0: 10.9.0.72/255.255.255.0 gw 10.9.0.1', 'iPXE has the address 10.9.0.72'],
  ['net0: fe80::5054:ff:fe00:21/64', undefined],
  ['http://10.9.0.1:8080/boot/boot.ipxe... ok', 'boot script from http://10.9.0.1:8080/boot/'],
  ['http://10.9.0.1:8080/viverrd.zst... 38%     58%     85%     ok', 'initrd loaded'],
  ['http://10.9.0.1:8080/viverrd.zst... Connection reset', undefined],
  [
    'Probing EDD (edd=off to disable)... o[    0.000000] Linux version 6.1.0-56-amd64 (x@y)',
    'Linux 6.1.0-56-amd64 starts',
  ],
  ['viver: [3/6] media … 120 ms (1 image)', '[3/6] media … 120 ms (1 image)'],
  [
    'viver: root ready image=debian@4d6f2f0c1b7a medium=net device=/dev/nbd0 cow=ram modules=21 seconds=4.02',
    'ROOT READY: debian@4d6f2f0c1b7a from net, 4.02 s after its kernel started',
  ],
  ['a line of no interest', undefined],
];

test.each(LINES)('%s', (line, said) => {
  expect(milestoneOf(line)).toBe(said);
});

test('bytes are told by kind, and what is next to nothing is not', () => {
  expect(describeBytes({ ...noBytes(), http: 54_200_000, tftp: 120_000, other: 400 })).toBe(
    '0.1 MB TFTP, 54.2 MB HTTP',
  );
  expect(describeBytes(noBytes())).toBe('next to nothing');
});
