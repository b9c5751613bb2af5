import type { Head } from './head.ts';

const FIRST_DESCRIPTOR = 0x8000;
const DESCRIPTOR_BYTES = 2048;
const MOST_DESCRIPTORS = 16;
const TYPE = { primary: 1, supplementary: 2, end: 255 };
const LABEL = { at: 40, bytes: 32 };
/** UCS-2 at Joliet's three levels. */
const JOLIET_ESCAPES = ['%/@', '%/C', '%/E'];

const utf16be = (bytes: Uint8Array): string => Buffer.from(bytes).swap16().toString('utf16le');
const latin = new TextDecoder('latin1');

/**
 * The label in Joliet's descriptor, which has half as many characters and more of them. What the primary descriptor
 * has further is added, where it begins alike: the characters it lacks are `_` there, small letters capital.
 * @returns undefined without Joliet
 */
export function isoLabel(head: Head): string | undefined {
  let primary = '';
  for (let i = 0; i < MOST_DESCRIPTORS; i++) {
    const at = FIRST_DESCRIPTOR + i * DESCRIPTOR_BYTES;
    const type = head.u8(at);
    if (!head.has(at + 1, 'CD001') || type === TYPE.end) return undefined;
    if (type === TYPE.primary) primary = latin.decode(head.bytes(at + LABEL.at, LABEL.bytes)).replace(/[\0 ]+$/, '');
    if (type !== TYPE.supplementary || !JOLIET_ESCAPES.some((level) => head.has(at + 88, level))) continue;
    const joliet = utf16be(head.bytes(at + LABEL.at, LABEL.bytes)).replace(/[\0 ]+$/, '');
    const isCut = [...joliet].every((character, place) => {
      const other = primary[place] ?? '';
      return other === '_' || other.toUpperCase() === character.toUpperCase();
    });
    return isCut ? joliet + primary.slice(joliet.length) : joliet;
  }
  return undefined;
}
