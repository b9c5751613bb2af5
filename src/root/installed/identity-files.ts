/** Files by which a system says who it is: shared by all machines of one image, each would take the others for itself. */
export interface IdentityFile {
  readonly directory: string;
  readonly name: RegExp;
  readonly why: string;
}

const SEED = 'a random seed that others know';
const LEASE = "another machine's lease or DHCP identity";

/** Their owners make them anew. Only the image's own go: what a machine wrote itself, and keeps, is its own. */
export const IDENTITY_FILES: readonly IdentityFile[] = [
  { directory: '/var/lib/systemd', name: /^random-seed$/, why: SEED },
  { directory: '/var/lib/urandom', name: /^random-seed$/, why: SEED },
  { directory: '/var/lib/misc', name: /^random-seed$/, why: SEED },
  { directory: '/var/lib', name: /^random-seed$/, why: SEED },
  { directory: '/etc', name: /^random-seed$/, why: SEED },
  { directory: '/var/lib/seedrng', name: /^seed\./, why: SEED },
  { directory: '/etc/seedrng', name: /^seed\./, why: SEED },
  { directory: '/etc', name: /^dhcpcd\.(duid|secret)$/, why: LEASE },
  { directory: '/var/lib/dhcpcd', name: /^(duid|secret|.*\.lease6?)$/, why: LEASE },
  { directory: '/var/lib/dhcpcd5', name: /^(duid|secret|.*\.lease6?)$/, why: LEASE },
  { directory: '/var/lib/dhcp', name: /^dhclient.*\.leases?$/, why: LEASE },
  { directory: '/var/lib/NetworkManager', name: /^(secret_key|.*\.lease)$/, why: LEASE },
  { directory: '/etc', name: /^hostid$/, why: 'a host id by which shared pools tell machines apart' },
];
