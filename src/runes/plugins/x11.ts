import { definePlugin } from '../plugin.ts';

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

export default definePlugin({
  name: 'x11',
  summary: 'input and screen defaults for any hardware, where X is installed',
  prepare(root) {
    if (!XORG.some((path) => root.has(path))) return;
    const hasLibinput = root.has('/usr/lib/xorg/modules/input/libinput_drv.so');
    const text = hasLibinput ? DEFAULTS : DEFAULTS.replaceAll('"libinput"', '"evdev"');
    root.write('/etc/X11/xorg.conf.d/00-viver.conf', text);
    // It names cards and screens of the machine the image was made on.
    const old = root.read('/etc/X11/xorg.conf');
    if (old !== undefined && /^\s*(BusID|Driver)\s/m.test(old)) {
      root.write('/etc/X11/xorg.conf', `# VIVER put the image's own aside: it is of another machine.\n`);
      root.write('/etc/X11/xorg.conf.of-the-image', old);
    }
    root.note(`X: devices by ${hasLibinput ? 'libinput' : 'evdev'}, screens by the kernel`);
  },
});
