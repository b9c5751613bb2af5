import type { FieldStatus } from '../../field/status.ts';
import type { FieldStrip } from '../../field/strip.ts';
import type { BootNews } from '../overview/boot-progress.ts';

/** The boot interface and what lies behind it: the only network a machine serves. */
export interface Network {
  readonly interfaceName: string;
  readonly mac: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string | undefined;
  readonly dns: readonly string[];
  /** Domains to look names up in. */
  readonly search: readonly string[];
  /** The program of the image that gave the interface its address, and looks after name servers too: NetworkManager. */
  readonly keeper?: string;
  /** `lease`: a DHCP server gave it; `static`: viver.ip=; `chosen`: nobody answered, so VIVER took a free range. */
  readonly origin: 'lease' | 'static' | 'chosen';
  /** The DHCP server that gave the lease. */
  readonly server: string | undefined;
}

/** Addresses a DHCP server may give, both ends included. */
export interface AddressRange {
  readonly first: string;
  readonly last: string;
  readonly mask: string;
}

export interface AddressInterface {
  network(): Promise<Network>;
  /** What a DHCP server of this network may give. */
  range(): Promise<AddressRange>;
  /** What was found is no longer so: everything that hangs on the address is started anew. */
  renew(reason: string): Promise<void>;
}

/** PXE's names for what a machine starts with (RFC 4578, section 2.1). */
export type BootArchitecture = 'bios' | 'efi64';

export interface BootLoaderInterface {
  /** Where the boot loaders lie; every file in it may be given to anybody. */
  directory(): Promise<string>;
  /** The file in that directory for a machine of this kind. */
  file(architecture: BootArchitecture): Promise<string>;
}

export interface TftpInterface {
  /** The path by which the boot loader is to be had from this machine. */
  path(architecture: BootArchitecture): Promise<string>;
}

export interface HttpInterface {
  /** `http://ADDRESS:PORT`, without a slash at the end. */
  base(): Promise<string>;
  /** What iPXE loads and runs. */
  scriptUrl(): Promise<string>;
  /** Whether there is a kernel and an initrd to boot others by. */
  canServe(): Promise<boolean>;
  /** Answers a path with JSON, `from` being the address that asks; undefined: not now. */
  answer(path: string, answer: (from: string) => Promise<unknown>): Promise<void>;
  /** Adds a part to this machine's status; `value` is asked each time. */
  publish<N extends keyof PublishedStatus>(name: N, value: () => PublishedStatus[N]): Promise<void>;
  /** Tells where a machine that boots by network is, for the status. */
  hear(news: BootNews): Promise<void>;
}

/** Parts of a machine's status that other plugins know. */
export interface PublishedStatus {
  dhcp: DhcpDecision;
  /** Other clusters on the wire, and the MACs that each, this one first, wants for itself. */
  neighbours: { readonly own: readonly string[]; readonly others: readonly NeighbourImage[] };
  tftp: { readonly sent: number; readonly refused: number };
}

/** The image of another cluster on the same wire. */
export interface NeighbourImage {
  /** Of its first machine, which has the boot files. */
  readonly address: string;
  readonly image: { readonly name: string; readonly id: string };
  /** Nodes of its field. */
  readonly peers: readonly string[];
  /** MAC patterns of machines that are to get it. */
  readonly claims: readonly string[];
}

export interface FieldInterface {
  status(): Promise<FieldStatus>;
  /** Makes this machine's node known to another one of the same image, `ADDRESS` or `ADDRESS:PORT`. */
  join(peer: string): Promise<void>;
  /** What this machine and all together hold along the image. */
  strip(): Promise<FieldStrip>;
}

/** An image that machines may boot beside the one this machine runs. */
export interface OfferedImage {
  readonly name: string;
  readonly id: string;
  /** Its field's node on this machine, `ADDRESS:PORT`. */
  readonly peer: string;
}

export interface ImagesInterface {
  list(): Promise<readonly OfferedImage[]>;
  /** Where its files are, and from then on it is given to others; undefined when there is none of that name. */
  directory(name: string): Promise<string | undefined>;
}

export type DhcpMode = 'full' | 'proxy' | 'standby';

export interface DhcpDecision {
  readonly mode: DhcpMode;
  readonly why: string;
  /** It was told not to serve: nobody is to wait for it. */
  readonly never?: boolean;
}

export interface DhcpInterface {
  mode(): Promise<DhcpDecision>;
}

/** Every interface by its name. A plugin file of one's own may add its names by declaration merging. */
export interface Interfaces {
  address: AddressInterface;
  'boot-loader': BootLoaderInterface;
  tftp: TftpInterface;
  http: HttpInterface;
  field: FieldInterface;
  dhcp: DhcpInterface;
  images: ImagesInterface;
}

export type InterfaceName = keyof Interfaces;
