import { type LineProblem, type RoleDraft, readDrafts } from './roles.ts';

function ofPlugins({ plugins }: RoleDraft, known: readonly string[]): readonly LineProblem[] {
  const names = plugins.map(({ name }) => name);
  return plugins.flatMap(({ name: word, line }, i) => {
    const name = word.replace(/^-/, '');
    if (names.indexOf(word) !== i) return [{ line, what: `'${word}' is there already` }];
    if (name !== 'basic' && !known.includes(name)) return [{ line, what: `there is no plugin '${name}'` }];
    const isThere = names.includes('basic') || names.slice(0, i).includes(name);
    return word.startsWith('-') && !isThere ? [{ line, what: `'${word}' takes out what is not in it` }] : [];
  });
}

/** Passwords, images and menus are for machines that boot by network; a role that is for others alone has no use for them. */
function ofUse({ name, line, machines, settings }: RoleDraft): readonly LineProblem[] {
  const { boot, menu, menuPassword, image } = settings.settings;
  const isMediumOnly =
    machines.length > 0 && machines.every((pattern) => pattern.kind === 'booted' && pattern.from === 'medium');
  return [
    ...(menu === 'none' && menuPassword !== undefined
      ? [{ line, what: `the role '${name}' has a password for a menu that nobody gets (menu none)` }]
      : []),
    ...(isMediumOnly && (!boot || menuPassword !== undefined || image !== undefined || menu !== 'ask')
      ? [{ line, what: `the role '${name}' is for machines booted from a medium: boot, menu and image are for others` }]
      : []),
  ];
}

/**
 * All that `viver role check` says of a file, by its lines: what cannot be understood, and what can but hardly is what
 * was meant. Pure.
 * @param known names of plugins that there are
 */
export function checkRoles(text: string, file: string, known: readonly string[]): readonly string[] {
  const { drafts, problems } = readDrafts(text);
  const found: LineProblem[] = [...problems];
  let everybody: string | undefined;
  for (const draft of drafts) {
    if (draft.isBroken) continue;
    const { name, line, plugins, machines } = draft;
    const { boot } = draft.settings.settings;
    if (plugins.length === 0 && boot)
      found.push({ line, what: `the role '${name}' has no plugins: a machine with it does nothing` });
    if (machines.length === 0)
      found.push({ line, what: `the role '${name}' fits no machine by itself: only viver.role=${name} gives it` });
    else if (everybody !== undefined)
      found.push({
        line,
        what: `the role '${name}' is never reached: the role '${everybody}' before it is for any machine`,
      });
    if (everybody === undefined && machines.some(({ kind }) => kind === 'any')) everybody = name;
    found.push(...ofPlugins(draft, known), ...ofUse(draft));
  }
  return found.sort((a, b) => a.line - b.line).map(({ line, what }) => `${file}: line ${line}: ${what}`);
}
