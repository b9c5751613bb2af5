/** Lines of fields with an empty line between records, as dpkg and apk write them. Pure. */
import { PACKAGES_LIMIT } from './installed-package.ts';

/** No field that is wanted is longer: names, versions, who made it. */
const LINE_LIMIT = 4096;

/**
 * Of each record that has a line at all the fields that `fieldOf` finds; of one that is there twice the later.
 * @param fieldOf name and value of a line; undefined: none that is wanted
 * @throws Error when there are more than a list of packages has
 */
export function* stanzas(
  text: string,
  fieldOf: (line: string) => readonly [name: string, value: string] | undefined,
): Generator<ReadonlyMap<string, string>, void, void> {
  let fields: Map<string, string> | undefined;
  let records = 0;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf('\n', at);
    const end = found < 0 ? text.length : found;
    const line = text.slice(at, end);
    at = end + 1;
    if (line.trim() === '') {
      if (fields !== undefined) yield fields;
      fields = undefined;
      continue;
    }
    if (fields === undefined && ++records > PACKAGES_LIMIT) throw new Error(`more than ${PACKAGES_LIMIT} packages`);
    fields ??= new Map();
    const field = line.length > LINE_LIMIT ? undefined : fieldOf(line);
    if (field !== undefined) fields.set(field[0], field[1]);
  }
  if (fields !== undefined) yield fields;
}
