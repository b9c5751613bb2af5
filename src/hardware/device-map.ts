/** A row of a `modules.pcimap` or `modules.usbmap`: the module, and its numbers in the order of the columns. */
export interface MapRow {
  readonly module: string;
  readonly numbers: readonly number[];
}

/**
 * The tables kernels up to 2.6 shipped instead of aliases: `module 0xNUMBER …`, `#` begins a comment.
 * A line of fewer than `columns` numbers (a file cut short, garbage) gives a line in `problems` and is passed over.
 * Numbers after those columns (driver_data, driver_info) are of no use here.
 */
export function parseMap(text: string, columns: number, name: string, problems: string[]): MapRow[] {
  const rows: MapRow[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim().split(/\s+/);
    const module = words[0] ?? '';
    if (module === '' || module.startsWith('#')) continue;
    const fields = words.slice(1, columns + 1);
    if (fields.length < columns || !fields.every((field) => /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(field))) {
      problems.push(`${name}:${index + 1}: not a module and ${columns} numbers: '${line.slice(0, 60)}'`);
    } else {
      rows.push({ module, numbers: fields.map(Number) });
    }
  }
  return rows;
}
