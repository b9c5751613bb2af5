/** Members of tars made byte by byte, for what no tar program writes. */
export interface Member {
  readonly name: string;
  readonly type?: string;
  readonly linkName?: string;
  readonly content?: string;
  /** Said in the header; that of the content unless given. */
  readonly size?: number;
  readonly mtime?: number;
}

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

/** In octal where it fits, else in base 256. */
function number(value: number, width: number): Buffer {
  if (value >= 0 && value < 8 ** (width - 1)) return Buffer.from(octal(value, width));
  const bytes = Buffer.alloc(width);
  let rest = BigInt(value);
  for (let i = width - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = value < 0 ? 0xff : 0x80;
  return bytes;
}

export function member({ name, type = '0', linkName = '', content = '', size, mtime = 0 }: Member): Buffer {
  const data = Buffer.from(content, 'latin1');
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, 'latin1');
  block.write(`0000644\0${'0000000\0'.repeat(2)}`, 100, 'latin1');
  number(size ?? data.length, 12).copy(block, 124);
  number(mtime, 12).copy(block, 136);
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write(linkName, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write('0000000\0'.repeat(2), 329, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

/** An extended header of the member after it, or of all (`g`). */
export function pax(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.from(` ${key}=${value}\n`, 'latin1').length;
    let length = rest + 1;
    while (`${length}`.length + rest !== length) length = `${length}`.length + rest;
    return `${length} ${key}=${value}\n`;
  });
  return member({ name: 'PaxHeader', type, content: lines.join('') });
}

export const endMark = Buffer.alloc(1024);
