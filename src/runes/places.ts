/** What VIVER keeps on a running machine. */
export const RUN_DIRECTORY = '/run/viver';
/** For root alone: mounts of images and media are in it (init/trust/private-directory.ts). */
export const PRIVATE_DIRECTORY = `${RUN_DIRECTORY}/private`;
/** The block daemon's control socket. */
export const FIELD_SOCKET = `${RUN_DIRECTORY}/field.sock`;
/** The control socket of roll-outs: root's. */
export const ROLL_SOCKET = `${RUN_DIRECTORY}/roll.sock`;
/** Made when this machine's system has come up well. */
export const HEALTHY_FILE = `${RUN_DIRECTORY}/healthy`;
/** Public keys (minisign) of those who may sign, in the initramfs. */
export const SIGNING_KEYS = '/etc/viver/keys';
/** The socket of a daemon that `viver image commit` left, which gives an image besides the one this machine runs. */
export const givenSocket = (name: string): string => `${RUN_DIRECTORY}/given-${name}.sock`;
/** Every machine's web server: boot files and status. Beside V-FIELD's port. */
export const HTTP_PORT = 20_080;
/** The secret of a field whose machines have one, in the initramfs. */
export const FIELD_KEY = '/etc/viver/field.key';
/** Roles and plugins of one's own, in the image or put into the initrd. */
export const RUNES_DIRECTORY = '/etc/RUNES';
