import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UsbMap } from '../../../src/hardware/usbmap.ts';

/** As depmod of module-init-tools wrote it for a 2.6 kernel; columns shortened by nothing. */
const MAP = `# usb module         match_flags idVendor idProduct bcdDevice_lo bcdDevice_hi bDeviceClass bDeviceSubClass bDeviceProtocol bInterfaceClass bInterfaceSubClass bInterfaceProtocol driver_info
usbhid               0x0380      0x0000   0x0000    0x0000       0x0000       0x00         0x00            0x00            0x03            0x01               0x01               0x0
usb-storage          0x000f      0x03ee   0x0000    0x0000       0x0245       0x00         0x00            0x00            0x00            0x00               0x00               0x0
usb-storage          0x0380      0x0000   0x0000    0x0000       0x0000       0x00         0x00            0x00            0x08            0x06               0x50               0x0
hub                  0x0010      0x0000   0x0000    0x0000       0x0000       0x09         0x00            0x00            0x00            0x00               0x00               0x0
nothing              0x0000      0x0000   0x0000    0x0000       0x0000       0x00         0x00            0x00            0x00            0x00               0x00               0x0
vendors-own          0x0381      0x1234   0x0000    0x0000       0x0000       0x00         0x00            0x00            0x08            0x06               0x50               0x0
`;

interface Usb {
  readonly vendor?: string;
  readonly product?: string;
  readonly version?: string;
  readonly device?: string;
  readonly interface?: string;
}

function modalias({
  vendor = '0781',
  product = '5567',
  version = '0100',
  device = '000000',
  interface: face = '080650',
}: Usb): string {
  const [dc, dsc, dp] = device.match(/../g) ?? [];
  const [ic, isc, ip] = face.match(/../g) ?? [];
  return `usb:v${vendor}p${product}d${version}dc${dc}dsc${dsc}dp${dp}ic${ic}isc${isc}ip${ip}in00`;
}

const map = new UsbMap(MAP, 'modules.usbmap', []);

test('an interface is found by class, subclass and protocol', () => {
  expect(map.lookup(modalias({}))).toEqual(['usb-storage']);
  expect(map.lookup(modalias({ interface: '030101' }))).toEqual(['usbhid']);
  expect(map.lookup(modalias({ interface: '030102' }))).toEqual([]);
});

test('a range of versions includes both ends', () => {
  const sony = (version: string) =>
    map.lookup(modalias({ vendor: '03EE', product: '0000', version, interface: 'FF0000' }));
  expect(sony('0000')).toEqual(['usb-storage']);
  expect(sony('0245')).toEqual(['usb-storage']);
  expect(sony('0246')).toEqual([]);
});

test('a hub is found by its device class', () => {
  expect(map.lookup(modalias({ device: '090000', interface: '090000' }))).toEqual(['hub']);
});

test('interface numbers of a vendor-specific device count only beside the vendor id', () => {
  expect(map.lookup(modalias({ device: 'FF0000' }))).toEqual([]);
  expect(map.lookup(modalias({ device: 'FF0000', vendor: '1234' }))).toEqual(['vendors-own']);
});

test('a row without flags matches nothing', () => {
  expect(map.lookup(modalias({ vendor: '0000', product: '0000', interface: '000000' }))).toEqual([]);
});

test('lines cut short and garbage are named and passed over', () => {
  const problems: string[] = [];
  const cut = new UsbMap(`${MAP.slice(0, -30)}\nrubbish 1 2\n`, 'modules.usbmap', problems);
  expect(problems).toHaveLength(2);
  expect(problems[0]).toMatch(/^modules\.usbmap:7: not a module and 11 numbers: 'vendors-own/);
  expect(cut.lookup(modalias({ interface: '030101' }))).toEqual(['usbhid']);
  fc.assert(fc.property(fc.string(), (text) => void new UsbMap(text, 'x', []).lookup(modalias({}))));
});
