/** What VIVER keeps on a running machine. */
export const RUN_DIRECTORY = '/run/viver';
/** The block daemon's control socket. */
export const FIELD_SOCKET = `${RUN_DIRECTORY}/field.sock`;
/** Every machine's web server: boot files and status. Beside V-FIELD's port. */
export const HTTP_PORT = 20_080;
/** Roles and plugins of one's own, in the image or put into the initrd. */
export const RUNES_DIRECTORY = '/etc/RUNES';
