import { definePlugin } from '../engine/plugin.ts';
import { wordOf } from '../machine.ts';

/** Names of initrd/keymaps.list that are not `LAYOUT` or `LAYOUT-VARIANT` of X. */
const LAYOUTS: Readonly<Record<string, string>> = { uk: 'gb', at: 'de', 'ch-de': 'ch', sv: 'se' };

/** `us-intl`: the layout `us`, its variant `intl`, as keyboard(5) names them. */
export function layoutOf(keymap: string): { readonly layout: string; readonly variant: string } {
  const [layout = '', ...variant] = (LAYOUTS[keymap] ?? keymap).split('-');
  return { layout, variant: variant.join('-') };
}

/** Lines of `NAME=value` with these instead of those of the same names. Pure. */
export function withSettings(text: string, settings: Readonly<Record<string, string>>): string {
  const kept = text.split('\n').filter((line) => !Object.keys(settings).some((name) => line.startsWith(`${name}=`)));
  const lines = Object.entries(settings).map(([name, value]) => `${name}="${value}"`);
  return `${[...kept.join('\n').replace(/\n*$/, '').split('\n'), ...lines].filter((line) => line !== '').join('\n')}\n`;
}

/** What is read by console-setup and Debian's X, and by systemd's localed and vconsole-setup. */
const FILES = {
  '/etc/default/keyboard': ['XKBLAYOUT', 'XKBVARIANT'],
  '/etc/vconsole.conf': ['XKBLAYOUT', 'XKBVARIANT'],
} as const;

export default definePlugin({
  name: 'keyboard',
  summary: 'the layout that viver.keymap= or the role names, for the console and X of the image too',
  prepare(root) {
    const keymap = wordOf(root.machine.commandLine, 'viver.keymap');
    if (keymap === undefined || !/^[a-z0-9-]{1,40}$/.test(keymap)) return;
    const { layout, variant } = layoutOf(keymap);
    for (const [path, [layoutName, variantName]] of Object.entries(FILES)) {
      const before = root.read(path);
      // what a person has set on a machine that keeps its writes stays
      if (before === undefined || !root.isOfImage(path)) continue;
      const text = withSettings(before, { [layoutName]: layout, [variantName]: variant });
      // console-setup keeps the compiled layout beside it, and loads that
      root.write(path, path === '/etc/vconsole.conf' ? withSettings(text, { KEYMAP: layout }) : text);
    }
    for (const name of root
      .names('/etc/console-setup')
      .filter((file) => /^cached_setup_(keyboard|terminal)\.sh$|^cached_.*\.kmap\.gz$/.test(file)))
      root.remove(`/etc/console-setup/${name}`);
    root.note(`keyboard ${keymap}`);
  },
});
