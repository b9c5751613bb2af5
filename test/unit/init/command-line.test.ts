import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../../src/init/command-line.ts';

const ID = 'ab'.repeat(32);

describe('the kernel command line', () => {
  test('without a word of VIVER, everything is at its default', () => {
    const options = parseCommandLine('BOOT_IMAGE=/boot/vmlinuz console=ttyS0,115200 quiet\n');
    expect(options).toMatchObject({ image: undefined, cow: 'ram', toram: false, verify: undefined, warnings: [] });
  });

  test('names an image, and pins its id', () => {
    expect(parseCommandLine('viver.image=debian').image).toEqual({ name: 'debian', id: undefined });
    expect(parseCommandLine(`viver.image=debian@sha256:${ID.toUpperCase()}`).image).toEqual({ name: 'debian', id: ID });
    expect(parseCommandLine('viver.image=debian.sqfs').image?.name).toBe('debian');
  });

  test('a pin that is not 64 digits is warned of, and pins nothing', () => {
    const options = parseCommandLine('viver.image=debian@sha256:abcd');
    expect(options.image).toBeUndefined();
    expect(options.warnings).toEqual([expect.stringContaining('viver.image=debian@sha256:abcd')]);
  });

  test('gives the order of media; an unknown one is warned of and the others hold', () => {
    expect(parseCommandLine('viver.media=usb,nvme').media).toEqual(['usb', 'nvme']);
    const options = parseCommandLine('viver.media=usb,tape');
    expect(options.media).toEqual(['usb']);
    expect(options.warnings[0]).toContain('tape');
  });

  test('takes the place of writes as ram, a device, a label, a UUID', () => {
    for (const cow of ['ram', '/dev/sda3', 'LABEL=work', 'UUID=12-34'])
      expect(parseCommandLine(`viver.cow=${cow}`).cow).toBe(cow);
    expect(parseCommandLine('"viver.cow=LABEL=my disk"').cow).toBe('LABEL=my disk');
    expect(parseCommandLine('viver.cow=disk').warnings).toHaveLength(1);
  });

  test('limits what the field sends and fetches; what is no rate is warned of', () => {
    expect(parseCommandLine('viver.limit=10M/none').limit).toBe('10M/none');
    expect(parseCommandLine('viver.site=room-3').site).toBe('room-3');
    expect(parseCommandLine('viver.site=-').warnings).toEqual([
      expect.stringContaining('viver.site=-: wants the name'),
    ]);
    const { limit, warnings } = parseCommandLine('viver.limit=fast');
    expect(limit).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('viver.limit=fast: wants UP[/DOWN]')]);
  });

  test('a web server that is no URL is warned of and left out, since no daemon would start with it; the others stay', () => {
    const { origins, warnings } = parseCommandLine(
      'viver.origin=http://a.test/,b.test/store,https://_https._tcp.c.test/',
    );
    expect(origins).toEqual(['http://a.test/', 'https://_https._tcp.c.test/']);
    expect(warnings).toEqual([expect.stringContaining('b.test/store is no http or https URL; ignored')]);
  });

  test('a peer is a host with or without a port; what is none is warned of and left out', () => {
    const { peers, warnings } = parseCommandLine(
      'viver.peer=10.0.0.1,a.test:20070,[fd00::1]:5,10.0.0.1:99999,fd00::1,[x]',
    );
    expect(peers).toEqual(['10.0.0.1', 'a.test:20070', '[fd00::1]:5']);
    expect(warnings).toEqual([expect.stringContaining('10.0.0.1:99999,fd00::1,[x] is no HOST[:PORT]')]);
  });

  test('an unknown viver. word is warned of, never ignored in silence', () => {
    expect(parseCommandLine('viver.imgae=debian viver.constructor=1').warnings).toEqual([
      expect.stringContaining('viver.imgae=debian'),
      expect.stringContaining('viver.constructor=1'),
    ]);
  });

  test('knows the words of the kernel that concern a boot', () => {
    const options = parseCommandLine('panic=10 init=/bin/sh viver.modules.blacklist=a-b,c');
    expect(options.panicSeconds).toBe(10);
    expect(options.init).toBe('/bin/sh');
    expect(options.warnings).toEqual([]);
  });

  test("what comes after -- is the init's", () => {
    expect(parseCommandLine('viver.toram -- viver.rescue').rescue).toBe(false);
  });

  test('garbage never throws, and each bad word is named', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => {
        parseCommandLine(text);
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom('media', 'wait', 'verify', 'break', 'ip', 'cow'), fc.string(), (word, value) => {
        const options = parseCommandLine(`viver.${word}=${value.replace(/[\s"]/g, '')}x!`);
        expect(options.warnings.length).toBeGreaterThan(0);
      }),
    );
  });
});

test.each([
  ['panic=30', 30],
  ['panic=0', undefined],
  ['panic=-1', 0],
  ['panic=0x10', 16],
  ['panic=010', 8],
  ['panic=5 panic=0', undefined],
  ['panic=5 -- panic=9', 5],
  ['panic=4294967296', undefined],
  ['panic=', undefined],
  ['panic=ten', undefined],
])('%s as the kernel takes it', (text, seconds) => {
  expect(parseCommandLine(text).panicSeconds).toBe(seconds);
});

test('a panic= that the kernel does not take is warned of', () => {
  expect(parseCommandLine('panic=30s').warnings).toEqual([
    'command line: panic=30s: wants seconds, a whole number; ignored',
  ]);
});

test('quiet is a word of its own', () => {
  expect(parseCommandLine('ro quiet').quiet).toBe(true);
  expect(parseCommandLine('quiet=1 viver.debug').quiet).toBe(false);
});

test.each([
  ['iso-scan/filename=/iso/viver.iso', { path: '/iso/viver.iso', device: undefined }],
  ['findiso=/viver.iso', { path: '/viver.iso', device: undefined }],
  ['fromiso=/dev/sda1/iso/viver.iso', { path: '/iso/viver.iso', device: { by: 'path', value: '/dev/sda1' } }],
  ['fromiso=/dev/disk/by-label/DATA/x.iso', { path: '/x.iso', device: { by: 'LABEL', value: 'DATA' } }],
  ['isofrom=iso/viver.iso', { path: '/iso/viver.iso', device: undefined }],
  ['img_loop=/x.iso img_dev=UUID=1234-ABCD', { path: '/x.iso', device: { by: 'UUID', value: '1234-ABCD' } }],
  [
    'img_dev=/dev/disk/by-uuid/1234-ABCD img_loop=x.iso',
    { path: '/x.iso', device: { by: 'UUID', value: '1234-ABCD' } },
  ],
  ['"iso-scan/filename=/my isos//viver.iso"', { path: '/my isos/viver.iso', device: undefined }],
])('%s names an ISO file', (text, iso) => {
  const options = parseCommandLine(text);
  expect(options.iso).toMatchObject(iso);
  expect(options.warnings).toEqual([]);
});

test.each([
  'findiso=/../etc/x.iso',
  'iso-scan/filename=',
  'findiso=/iso/',
  'img_dev=/dev/sda1',
  'img_loop=/x.iso img_dev=?=',
])('%s is warned of', (text) => {
  const { iso, warnings } = parseCommandLine(text);
  expect(warnings).toMatchObject([expect.stringMatching(/^command line: .*; ignored$/)]);
  if (iso !== undefined) expect(iso.device).toBeUndefined();
});

test('viver.vlan takes the number of a VLAN and refuses nonsense by a line', () => {
  expect(parseCommandLine('viver.vlan=12')).toMatchObject({ vlan: 12, warnings: [] });
  for (const wrong of ['0', '4095', 'five', '']) {
    const { vlan, warnings } = parseCommandLine(`viver.vlan=${wrong}`);
    expect(vlan).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/viver\.vlan=.*wants the number of a VLAN, 1 to 4094; ignored/)]);
  }
});
