import type { AnyPlugin } from './plugin.ts';
import address from './plugins/address.ts';
import bootLoader from './plugins/boot-loader.ts';
import dhcp from './plugins/dhcp.ts';
import field from './plugins/field.ts';
import http from './plugins/http.ts';
import tftp from './plugins/tftp.ts';

/** The plugins in the executable, in the order they would be named. */
export const BASIC_PLUGINS: readonly AnyPlugin[] = [address, field, bootLoader, http, tftp, dhcp];
