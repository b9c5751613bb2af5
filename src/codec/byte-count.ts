/** `64M` → 67108864: a whole number of bytes, with K, M, G or T as powers of 1024. Undefined: it is none. */
export function parseByteCount(text: string): number | undefined {
  const found = /^(\d{1,15})([KMGT]?)$/i.exec(text);
  if (found === null) return undefined;
  const bytes = Number(found[1]) * 1024 ** ' KMGT'.indexOf((found[2] || ' ').toUpperCase());
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
