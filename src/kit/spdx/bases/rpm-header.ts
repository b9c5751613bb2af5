/** The header of an installed package, as rpm keeps it (rpm's docs/manual/format_header.md). Pure. */
import type { InstalledPackage } from './installed-package.ts';

/** rpmtag.h */
const TAGS = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  vendor: 1011,
  licence: 1014,
  packager: 1015,
  architecture: 1022,
  sourcePackage: 1044,
} as const;
const INT32 = 4;
/** A string, one of several, one in several languages: the first. */
const STRINGS = new Set([6, 8, 9]);
/** Number of entries and bytes of data; then tag, kind, offset and count of each. */
const HEAD_BYTES = 8;
const ENTRY_BYTES = 16;
/** rpm's own. */
const ENTRIES_LIMIT = 0xffff;
const STRING_LIMIT = 4096;

/** Undefined for what is no header of a package: without a name or a version, or damaged. */
export function parseRpmHeader(header: Buffer): InstalledPackage | undefined {
  const fields = fieldsOf(header);
  const { name, version, release, epoch, architecture = '' } = fields;
  if (!name || !version || !release) return undefined;
  const whole = `${version}-${release}`;
  // NAME-VERSION-RELEASE.src.rpm
  const [, source = name, sourceVersion = whole] =
    /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(fields.sourcePackage ?? '') ?? [];
  return {
    type: 'rpm',
    name,
    version: epoch === undefined || epoch === '0' ? whole : `${epoch}:${whole}`,
    architecture,
    source,
    sourceVersion,
    maintainer: fields.vendor || fields.packager,
    licences: fields.licence ? [fields.licence] : [],
  };
}

function fieldsOf(header: Buffer): Partial<Record<keyof typeof TAGS, string>> {
  if (header.length < HEAD_BYTES) return {};
  const [entries, dataBytes] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const start = HEAD_BYTES + entries * ENTRY_BYTES;
  if (entries > ENTRIES_LIMIT || start + dataBytes > header.length) return {};
  const data = header.subarray(start, start + dataBytes);
  const fields: Partial<Record<keyof typeof TAGS, string>> = {};
  const names = new Map(Object.entries(TAGS).map(([name, tag]) => [tag as number, name as keyof typeof TAGS]));
  for (let at = HEAD_BYTES; at < start; at += ENTRY_BYTES) {
    const name = names.get(header.readUInt32BE(at));
    const value =
      name === undefined ? undefined : valueAt(data, header.readUInt32BE(at + 4), header.readUInt32BE(at + 8));
    if (name !== undefined && value !== undefined) fields[name] = value;
  }
  return fields;
}

function valueAt(data: Buffer, kind: number, offset: number): string | undefined {
  if (kind === INT32) return offset + 4 <= data.length ? String(data.readUInt32BE(offset)) : undefined;
  if (!STRINGS.has(kind) || offset >= data.length) return undefined;
  const end = data.indexOf(0, offset);
  return end < 0 || end - offset > STRING_LIMIT ? undefined : data.toString('utf8', offset, end);
}
