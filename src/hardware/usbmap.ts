import { type MapRow, parseMap } from './device-map.ts';

/**
 * match_flags, idVendor, idProduct, bcdDevice_lo, bcdDevice_hi, bDeviceClass, bDeviceSubClass, bDeviceProtocol,
 * bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol (driver_info follows).
 */
const COLUMNS = 11;

/** Which columns count. Source: include/linux/mod_devicetable.h. */
const MATCH_VENDOR = 0x0001;
const MATCH_PRODUCT = 0x0002;
const MATCH_DEV_LO = 0x0004;
const MATCH_DEV_HI = 0x0008;
const MATCH_DEV_CLASS = 0x0010;
const MATCH_DEV_SUBCLASS = 0x0020;
const MATCH_DEV_PROTOCOL = 0x0040;
const MATCH_INT_CLASS = 0x0080;
const MATCH_INT_SUBCLASS = 0x0100;
const MATCH_INT_PROTOCOL = 0x0200;
const MATCH_INTERFACE = MATCH_INT_CLASS | MATCH_INT_SUBCLASS | MATCH_INT_PROTOCOL;

const VENDOR_SPECIFIC_CLASS = 0xff;

const MODALIAS =
  /^usb:v([0-9A-F]{4})p([0-9A-F]{4})d([0-9A-F]{4})dc([0-9A-F]{2})dsc([0-9A-F]{2})dp([0-9A-F]{2})ic([0-9A-F]{2})isc([0-9A-F]{2})ip([0-9A-F]{2})/;

/** usb_match_device and usb_match_one_id_intf of drivers/usb/core/driver.c. `device`: the numbers of the modalias. */
function matches(row: readonly number[], device: readonly number[]): boolean {
  const [flags = 0, vendor, product, low = 0, high = 0, dc, dsc, dp, ic, isc, ip] = row;
  const [isVendor, isProduct, version = 0, isDc, isDsc, isDp, isIc, isIsc, isIp] = device;
  const wants = (flag: number) => (flags & flag) !== 0;
  // In a vendor-specific device the interface numbers mean what its maker likes: they count only beside his id.
  if (isDc === VENDOR_SPECIFIC_CLASS && !wants(MATCH_VENDOR) && wants(MATCH_INTERFACE)) return false;
  return (
    !(wants(MATCH_VENDOR) && vendor !== isVendor) &&
    !(wants(MATCH_PRODUCT) && product !== isProduct) &&
    !(wants(MATCH_DEV_LO) && low > version) &&
    !(wants(MATCH_DEV_HI) && high < version) &&
    !(wants(MATCH_DEV_CLASS) && dc !== isDc) &&
    !(wants(MATCH_DEV_SUBCLASS) && dsc !== isDsc) &&
    !(wants(MATCH_DEV_PROTOCOL) && dp !== isDp) &&
    !(wants(MATCH_INT_CLASS) && ic !== isIc) &&
    !(wants(MATCH_INT_SUBCLASS) && isc !== isIsc) &&
    !(wants(MATCH_INT_PROTOCOL) && ip !== isIp)
  );
}

/** `modules.usbmap` of a kernel up to 2.6. */
export class UsbMap {
  readonly #rows: readonly MapRow[];

  constructor(text: string, name: string, problems: string[]) {
    // A row without flags matches nothing: it ends the kernel's own tables, and says nothing of a device.
    this.#rows = parseMap(text, COLUMNS, name, problems).filter(({ numbers }) => numbers[0] !== 0);
  }

  /** The modules whose rows match the interface of this modalias (`usb:v…`), in the map's order. */
  lookup(modalias: string): string[] {
    const device = MODALIAS.exec(modalias)
      ?.slice(1)
      .map((hex) => Number.parseInt(hex, 16));
    if (device === undefined) return [];
    return this.#rows.filter(({ numbers }) => matches(numbers, device)).map(({ module }) => module);
  }
}
