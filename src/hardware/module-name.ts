/**
 * An alias as kmod looks it up: dashes become underscores, save within brackets. undefined when brackets do not pair;
 * kmod refuses such an alias. Source: alias_normalize in kmod's shared/util.c.
 */
export function normalizeAlias(alias: string): string | undefined {
  if (!alias.includes('[') && !alias.includes(']')) return alias.replaceAll('-', '_');
  let result = '';
  for (let index = 0; index < alias.length; index++) {
    const character = alias.charAt(index);
    if (character === ']') return undefined;
    if (character !== '[') {
      result += character === '-' ? '_' : character;
      continue;
    }
    const end = alias.indexOf(']', index);
    if (end < 0) return undefined;
    result += alias.slice(index, end + 1);
    index = end;
  }
  return result;
}

/** The kernel's name of a module: dashes become underscores, and nothing from the first dot on. */
export function normalizeModuleName(name: string): string {
  const dot = name.indexOf('.');
  return (dot < 0 ? name : name.slice(0, dot)).replaceAll('-', '_');
}

/** `kernel/drivers/ata/sata-x.ko.xz` → `sata_x`. */
export function moduleNameOfPath(path: string): string {
  return normalizeModuleName(path.slice(path.lastIndexOf('/') + 1));
}
