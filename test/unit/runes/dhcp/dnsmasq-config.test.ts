import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type DhcpConfig,
  dhcpConfig,
  leasesWith,
  machinesFile,
  relaySubnets,
  tftpConfig,
} from '../../../../src/runes/dhcp/dnsmasq-config.ts';
import type { Network } from '../../../../src/runes/engine/interfaces.ts';

const network: Network = {
  interfaceName: 'eth0',
  mac: '52:54:00:00:00:01',
  address: '10.86.0.9',
  prefixLength: 16,
  gateway: undefined,
  dns: [],
  search: [],
  origin: 'chosen',
  server: undefined,
};
const config: DhcpConfig = {
  mode: 'full',
  network,
  range: { first: '10.86.4.0', last: '10.86.255.254', mask: '255.255.0.0' },
  bios: 'undionly.kpxe',
  efi64: 'snponly.efi',
  scriptUrl: 'http://10.86.0.9:20080/boot/boot.ipxe',
  leaseFile: '/run/viver/leases',
};
const lines = (text: string) => text.trim().split('\n');

/** dnsmasq is the judge of its own words. */
function isAccepted(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'dnsmasq-'));
  try {
    writeFileSync(join(directory, 'conf'), text);
    const words = ['--test', `--conf-file=${join(directory, 'conf')}`];
    return execFileSync('dnsmasq', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('the DHCP server', () => {
  test('on an empty network gives addresses, the boot loader of each firmware, and iPXE its script', () => {
    const text = dhcpConfig(config);
    expect(lines(text)).toEqual(
      expect.arrayContaining([
        'port=0',
        'interface=eth0',
        'bind-interfaces',
        'dhcp-range=tag:viver,10.86.4.0,10.86.255.254,255.255.0.0,1h',
        'dhcp-range=tag:!viver,tag:!own,10.86.4.0,10.86.255.254,255.255.0.0,5m',
        'dhcp-ignore=tag:!boot,tag:!own',
        'no-ping',
        'dhcp-boot=tag:ipxe,http://10.86.0.9:20080/boot/boot.ipxe,,10.86.0.9',
        'dhcp-boot=tag:!ipxe,tag:efi64,snponly.efi',
        'dhcp-boot=tag:!ipxe,tag:!efi64,tag:!efihttp,undionly.kpxe',
        'dhcp-boot=tag:!ipxe,tag:efihttp,http://10.86.0.9:20080/boot/snponly.efi',
        'dhcp-option-force=224,viver',
      ]),
    );
    expect(lines(text)).toContain('dhcp-option=tag:ipxe,encap:175,176,1b');
    // an empty one keeps dnsmasq from naming itself
    expect(lines(text)).toContain('dhcp-option=3');
    expect(lines(text)).toContain('dhcp-option=6');
    expect(() => isAccepted(text)).not.toThrow();
  });

  test('keeps the addresses that machines have, and tells gateway and name servers it knows', () => {
    const text = dhcpConfig({
      ...config,
      network: {
        ...network,
        address: '192.168.7.2',
        prefixLength: 24,
        gateway: '192.168.7.1',
        dns: ['9.9.9.9', '1.1.1.1'],
      },
      machines: '/run/viver/dhcp-machines',
    });
    expect(lines(text)).toEqual(
      expect.arrayContaining([
        'dhcp-hostsdir=/run/viver/dhcp-machines',
        'dhcp-host=id:viver-taken-192.168.7.1,192.168.7.1',
        'dhcp-option=3,192.168.7.1',
        'dhcp-option=6,9.9.9.9,1.1.1.1',
      ]),
    );
    // others may have addresses there, so dnsmasq looks first
    expect(lines(text)).not.toContain('no-ping');
    expect(() => isAccepted(text)).not.toThrow();
  });

  test('beside another server gives no address at all', () => {
    const text = dhcpConfig({ ...config, mode: 'proxy' });
    expect(lines(text)).toContain('dhcp-range=10.86.0.9,proxy');
    expect(lines(text)).toContain('pxe-service=tag:!ipxe,X86PC,VIVER,undionly.kpxe');
    expect(lines(text)).toContain('dhcp-boot=tag:ipxe,http://10.86.0.9:20080/boot/boot.ipxe,,10.86.0.9');
    // it wants the file even so, and an image need not have the directory of its own choice
    expect(lines(text)).toContain('dhcp-leasefile=/run/viver/leases');
    expect(text).not.toMatch(/dhcp-authoritative|dhcp-host|encap:175/);
    expect(lines(text).filter((line) => line.startsWith('dhcp-range'))).toHaveLength(1);
    expect(() => isAccepted(text)).not.toThrow();
  });
});

test('firmware behind relays is answered too, in a subnet as large as may be beside the own one', () => {
  const own = { address: '10.50.9.2', prefixLength: 24 };
  expect(relaySubnets(['10.51.0.1', '10.51.7.1', '10.50.0.1', '10.50.9.7', 'x'], own)).toEqual([
    { address: '10.51.0.1', prefixLength: 16 },
    { address: '10.50.0.1', prefixLength: 21 },
  ]);
  for (const mode of ['full', 'proxy'] as const) {
    const text = dhcpConfig({ ...config, mode, relays: ['10.51.0.1'] });
    expect(lines(text)).toContain('dhcp-range=set:relayed,10.51.0.1,proxy,255.255.0.0');
    expect(lines(text)).toContain('dhcp-pxe-vendor=PXEClient,HTTPClient');
    expect(() => isAccepted(text)).not.toThrow();
  }
  // Firmware on the own wire of a server that gives addresses finds no second way there.
  expect(dhcpConfig(config)).not.toContain('pxe-service');
  expect(dhcpConfig({ ...config, relays: ['10.51.0.1'] })).toContain('pxe-service=tag:relayed,tag:!ipxe,X86PC');
});

test('a wire that VIVER has for itself is the only one where everybody is answered', () => {
  expect(lines(dhcpConfig({ ...config, everybody: true }))).not.toContain('dhcp-ignore=tag:!boot,tag:!own');
  for (const mode of ['full', 'proxy'] as const)
    expect(lines(dhcpConfig({ ...config, mode }))).toContain('dhcp-ignore=tag:!boot,tag:!own');
});

test('leases that the server before gave are known, those of this one stay as they are', () => {
  const own = '1700000000 52:54:00:00:00:01 10.86.9.1 * 01:52:54:00:00:00:01\n';
  const machines = [
    { mac: '52:54:00:00:00:01', address: '10.86.9.7' },
    { mac: '52:54:00:00:00:02', address: '10.86.9.2' },
    { mac: '52:54:00:00:00:03', address: '10.86.9.1' },
  ];
  expect(leasesWith(`${own}garbage\n`, machines, 1000.7)).toBe(`${own}4600 52:54:00:00:00:02 10.86.9.2 * *\n`);
  expect(leasesWith('', [], 0)).toBe('');
});

test('no lease is ever refused: another server may have given it', () => {
  for (const mode of ['full', 'proxy'] as const) expect(dhcpConfig({ ...config, mode })).not.toContain('authoritative');
});

test('machines of VIVER keep their addresses', () => {
  expect(machinesFile([])).toBe('');
  expect(machinesFile([{ mac: '52:54:00:00:00:02', address: '10.86.9.9' }])).toBe(
    '52:54:00:00:00:02,set:own,10.86.9.9,1h\n',
  );
});

test('TFTP gives one directory on one interface', () => {
  const text = tftpConfig(network, '/run/initramfs/usr/lib/ipxe');
  expect(lines(text)).toEqual(
    expect.arrayContaining(['enable-tftp=eth0', 'tftp-root=/run/initramfs/usr/lib/ipxe', 'bind-interfaces', 'port=0']),
  );
  expect(text).not.toContain('dhcp');
  expect(() => isAccepted(text.replace(/tftp-root=.*/, `tftp-root=${tmpdir()}`))).not.toThrow();
});

test('UEFI x64 that refuses iPXE gets shim where this server gives the address; all others iPXE', () => {
  const secure = { ...config, secure64: 'shimx64.efi', relays: ['10.51.0.1'] };
  const full = lines(dhcpConfig(secure));
  expect(full).toContain('dhcp-boot=tag:!ipxe,tag:efi64,tag:secure,shimx64.efi');
  expect(full).toContain('dhcp-boot=tag:!ipxe,tag:efi64,tag:!secure,snponly.efi');
  expect(full.filter((line) => line.includes('shim'))).toHaveLength(1);
  expect(dhcpConfig({ ...secure, mode: 'proxy' })).not.toContain('shim');
  isAccepted(dhcpConfig(secure));
  const macs = new Set(['52:54:00:00:00:01', '52:54:00:00:00:02']);
  const text = machinesFile([{ mac: '52:54:00:00:00:01', address: '10.86.0.1' }], macs);
  expect(text).toBe('52:54:00:00:00:01,set:own,set:secure,10.86.0.1,1h\n52:54:00:00:00:02,set:secure\n');
});
