import { definePlugin } from '../engine/plugin.ts';

/** Xorg is installed: only then is anything set. */
const XORG = ['/usr/bin/Xorg', '/usr/lib/xorg/Xorg', '/usr/bin/X'];

/**
 * Defaults that hold on any hardware, xorg.conf(5): the keyboard and mouse of whatever is plugged in, by evdev or libinput,
 * and the kernel's own mode setting, which needs no driver of the machine the image was made on.
 */
const DEFAULTS = `# VIVER: the same image runs on many machines, so nothing of one machine is said here.
Section "InputClass"
  Identifier "VIVER pointers"
  MatchIsPointer "on"
  MatchDevicePath "/dev/input/event*"
  Driver "libinput"
EndSection

Section "InputClass"
  Identifier "VIVER keyboards"
  MatchIsKeyboard "on"
  MatchDevicePath "/dev/input/event*"
  Driver "libinput"
EndSection
`;

/** A driver or a slot in a section about cards; that of an InputClass is for whatever mouse there is. */
function namesCard(text: string): boolean {
  const sections = text.matchAll(/^\s*Section\s+"(Device|Screen|Monitor|ServerLayout)"([\s\S]*?)^\s*EndSection/gim);
  return [...sections].some(([, , body = '']) => /^\s*(BusID|Driver)\s/im.test(body));
}

export default definePlugin({
  name: 'x11',
  summary: 'input and screen defaults for any hardware, where X is installed',
  prepare(root) {
    if (!XORG.some((path) => root.has(path))) return;
    const hasLibinput = root.has('/usr/lib/xorg/modules/input/libinput_drv.so');
    const text = hasLibinput ? DEFAULTS : DEFAULTS.replaceAll('"libinput"', '"evdev"');
    root.write('/etc/X11/xorg.conf.d/00-viver.conf', text);
    // They name cards and screens of the machine the image was made on.
    const directory = '/etc/X11/xorg.conf.d';
    for (const path of ['/etc/X11/xorg.conf', ...root.names(directory).map((name) => `${directory}/${name}`)]) {
      const old = path.endsWith('.conf') && root.isOfImage(path) ? root.read(path) : undefined;
      if (old === undefined || !namesCard(old)) continue;
      root.write(path, `# VIVER put the image's own aside: it is of another machine.\n`);
      root.write(`${path}.of-the-image`, old);
      root.note(`${path} is put aside: it names a card`);
    }
    root.note(`X: devices by ${hasLibinput ? 'libinput' : 'evdev'}, screens by the kernel`);
  },
});
