import { type MapRow, parseMap } from './device-map.ts';

/** vendor, device, subvendor, subdevice, class, class_mask (driver_data follows). */
const COLUMNS = 6;
const PCI_ANY_ID = 0xffffffff;
const MODALIAS =
  /^pci:v([0-9A-F]{8})d([0-9A-F]{8})sv([0-9A-F]{8})sd([0-9A-F]{8})bc([0-9A-F]{2})sc([0-9A-F]{2})i([0-9A-F]{2})/;

/** `modules.pcimap` of a kernel up to 2.6: rows by vendor, so that a device meets only its maker's. */
export class PciMap {
  readonly #byVendor = new Map<number, MapRow[]>();

  constructor(text: string, name: string, problems: string[]) {
    for (const row of parseMap(text, COLUMNS, name, problems)) {
      const vendor = row.numbers[0] ?? PCI_ANY_ID;
      const list = this.#byVendor.get(vendor);
      if (list === undefined) this.#byVendor.set(vendor, [row]);
      else list.push(row);
    }
  }

  /**
   * The modules whose rows match the device of this modalias (`pci:v…`), in the map's order.
   * Source: pci_match_one_device in drivers/pci/pci.h.
   */
  lookup(modalias: string): string[] {
    const match = MODALIAS.exec(modalias);
    if (match === null) return [];
    const [vendor = 0, device = 0, subvendor = 0, subdevice = 0, base = 0, sub = 0, programming = 0] = match
      .slice(1)
      .map((hex) => Number.parseInt(hex, 16));
    const deviceClass = (base << 16) | (sub << 8) | programming;
    const rows = [...(this.#byVendor.get(vendor) ?? []), ...(this.#byVendor.get(PCI_ANY_ID) ?? [])];
    const found = rows.filter(({ numbers: [, rowDevice, rowSubvendor, rowSubdevice, rowClass = 0, mask = 0] }) => {
      const same = (row: number | undefined, is: number) => row === PCI_ANY_ID || row === is;
      const ids = same(rowDevice, device) && same(rowSubvendor, subvendor) && same(rowSubdevice, subdevice);
      return ids && ((rowClass ^ deviceClass) & mask) === 0;
    });
    return found.map(({ module }) => module);
  }
}
