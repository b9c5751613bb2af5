/** Names for devices that a system learned from the cards and boards of one machine. */

const WHY = '# VIVER: this is of the machine the system was installed on.';
const MARK = '# VIVER: ';

/** A rule of /etc/udev/rules.d that gives a network interface its name: by a MAC, or worse by a slot that others have too. */
function namesInterface(rule: string): boolean {
  if (rule.trimStart().startsWith('#') || !/(?<![A-Z_{])NAME\s*:?=(?!=)/.test(rule)) return false;
  return /SUBSYSTEMS?\s*==\s*"net"|ATTR\{address\}\s*==|KERNEL\s*==\s*"(eth|en|wl|usb)/.test(rule);
}

/** udev rules without those that name network interfaces. Pure. */
export function netRulesFor(before: string): { readonly text: string; readonly dropped: number } {
  let dropped = 0;
  // A rule goes on after a backslash at the end of a line (udev(7)).
  const rules = before.split(/(?<!\\)\n/).map((rule) => {
    if (!namesInterface(rule)) return rule;
    dropped += 1;
    return rule.replace(/^/gm, MARK);
  });
  return { text: dropped === 0 ? before : [WHY, ...rules].join('\n'), dropped };
}

/**
 * A systemd.link(5) file that names an interface which it knows by what one machine has: all of it becomes a comment, and
 * a file without [Match] is ignored. Undefined: the file may stay. Pure.
 */
export function linkFileFor(before: string): string | undefined {
  const known = /^\s*(PermanentMACAddress|MACAddress|Path|Property)\s*=\s*\S/m;
  if (!known.test(before) || !/^\s*Name\s*=\s*\S/m.test(before)) return undefined;
  return `${WHY}\n${before.replace(/^(?=.)/gm, MARK)}`;
}
