import type { FieldStatus } from '../../field/status.ts';
import type { FieldStrip } from '../../field/strip.ts';
import type { Health } from '../health/health.ts';
import type { BootNews } from '../overview/boot-progress.ts';
import type { RollView } from '../roll/view.ts';

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
  /**
   * What was found may no longer be so: the network is asked again, and when it gives this machine an address, everything
   * that hangs on the address is started anew.
   */
  renew(reason: string): Promise<void>;
}

/**
 * What a machine starts with, by PXE's names (RFC 4578, section 2.1). `secure64` is `efi64` that refuses a loader which
 * is not signed.
 */
export type BootArchitecture = 'bios' | 'efi64' | 'secure64';

export interface BootLoaderInterface {
  /** Where the boot loaders lie; every file in it may be given to anybody. */
  directory(): Promise<string>;
  /** The file in that directory for a machine of this kind; empty for `secure64` where there is none. */
  file(architecture: BootArchitecture): Promise<string>;
}

export interface TftpInterface {
  /** The path by which the boot loader is to be had from this machine; empty for `secure64` where there is none. */
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
  /** What GRUB is to run on the machine of that MAC at that address. */
  grubScript(mac: string, address: string): Promise<string>;
  /** Tells where a machine that boots by network is, for the status. */
  hear(news: BootNews): Promise<void>;
  /** Says from now on which image each machine boots that boots by network. */
  steer(steering: BootSteering): Promise<void>;
}

/** A machine that asks for its boot script. */
export interface BootingMachine {
  /** Lower case with colons. */
  readonly mac: string;
  readonly hostname: string;
  readonly role: string;
}

/** What it is to boot, and why. */
export interface WantedImage {
  readonly image: { readonly name: string; readonly id: string };
  /** The release whose image it is: the machine has to become healthy with it. */
  readonly release?: { readonly name: string; readonly version: number };
  readonly why: string;
}

export interface BootSteering {
  /** Whether any machine gets another image than it would without. */
  isActive(): boolean;
  /** In this order, the first that can be had; nothing: what it would get without. */
  choose(machine: BootingMachine): readonly WantedImage[];
  /** It was sent to load this. */
  given(machine: BootingMachine, wanted: WantedImage, address: string): void;
  /** Somebody chose another thing at the machine of this address. */
  left(address: string): void;
  /** Words for the kernel of a machine that boots, by the releases it was chosen by. */
  words(wanted: WantedImage | undefined): readonly string[];
}

/** Parts of a machine's status that other plugins know. */
export interface PublishedStatus {
  dhcp: DhcpDecision;
  /** Other clusters on the wire, and the MACs that each, this one first, wants for itself. */
  neighbours: { readonly own: readonly string[]; readonly others: readonly NeighbourImage[] };
  tftp: { readonly sent: number; readonly refused: number };
  /** Roll-outs that this machine knows. */
  rolls: readonly RollView[];
  /** Whether this machine's system has come up well. */
  health: Health;
  /** Images that it offers beside its own. */
  images: readonly OfferedImage[];
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
  readonly sizeBytes: number;
  /** It lies on the medium that this machine boots from: a power cut does not take it away. */
  readonly isKept: boolean;
}

export interface ImagesInterface {
  list(): Promise<readonly OfferedImage[]>;
  /** Gives one more image to others, from a file of this machine with its index beside it. */
  add(path: string): Promise<OfferedImage>;
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
