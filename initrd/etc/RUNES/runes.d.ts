// RUNES, API version 1: the types for plugins of one's own. Made of VIVER's sources by
// scripts/plugin-types.ts; VIVER itself does not read this file. A plugin needs nothing of it to run. For an editor or
// tsc: `/// <reference path="…/runes.d.ts" />` at the top of a plugin, and @types/node.

/** In every plugin file, without an import. */
declare const definePlugin: typeof import('viver:runes').definePlugin;

/** `import type { Context } from 'viver:runes'`; an interface of one's own is added by declaring the module again. */
declare module 'viver:runes' {
  /** Checks the types of a plugin: what it asks must be in `requires` or `uses`, and it gives all it `provides`. */
  export function definePlugin<const P extends InterfaceName = never, const R extends InterfaceName = never>(
    plugin: Plugin<P, R>,
  ): AnyPlugin;

  export type InterfaceName = keyof Interfaces;

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

  export interface BootLoaderInterface {
    /** Where the boot loaders lie; every file in it may be given to anybody. */
    directory(): Promise<string>;
    /** The file in that directory for a machine of this kind; empty for `secure64` where there is none. */
    file(architecture: BootArchitecture): Promise<string>;
  }

  /**
   * What a machine starts with, by PXE's names (RFC 4578, section 2.1). `secure64` is `efi64` that refuses a loader which
   * is not signed.
   */
  export type BootArchitecture = 'bios' | 'efi64' | 'secure64';

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

  /** Parts of a machine's status that other plugins know. */
  export interface PublishedStatus {
    dhcp: DhcpDecision;
    /** Other clusters on the wire, and the MACs that each, this one first, wants for itself. */
    neighbours: {
      readonly own: readonly string[];
      readonly others: readonly NeighbourImage[];
    };
    tftp: {
      readonly sent: number;
      readonly refused: number;
    };
    /** Roll-outs that this machine knows. */
    rolls: readonly RollView[];
    /** Whether this machine's system has come up well. */
    health: Health;
    /** Images that it offers beside its own. */
    images: readonly OfferedImage[];
  }

  export interface DhcpDecision {
    readonly mode: DhcpMode;
    readonly why: string;
    /** It was told not to serve: nobody is to wait for it. */
    readonly never?: boolean;
  }

  export type DhcpMode = 'full' | 'proxy' | 'standby';

  /** The image of another cluster on the same wire. */
  export interface NeighbourImage {
    /** Of its first machine, which has the boot files. */
    readonly address: string;
    readonly image: {
      readonly name: string;
      readonly id: string;
    };
    /** Nodes of its field. */
    readonly peers: readonly string[];
    /** MAC patterns of machines that are to get it. */
    readonly claims: readonly string[];
  }

  /** A roll-out as everybody is shown it: `/status.json`, the status page, `viver roll status --json`. */
  export interface RollView {
    readonly name: string;
    readonly version: number;
    readonly image: {
      readonly name: string;
      readonly id: string;
    };
    /** Whom it is for, in the release's own words. */
    readonly for: readonly string[];
    readonly when: string;
    readonly expires: string;
    readonly isExpired: boolean;
    /** Undefined when it is not signed. */
    readonly keyId: string | null;
    /** What the others boot. */
    readonly instead: {
      readonly name: string;
      readonly id: string;
    } | null;
    /** Why it has stopped; null: it goes on. */
    readonly stopped: string | null;
    /** Counts of machines that this one has sent to boot it. */
    readonly healthy: number;
    readonly booting: number;
    readonly failed: readonly {
      readonly mac: string;
      readonly hostname: string;
      readonly why: string;
    }[];
  }

  /** Whether a machine's system has come up well, as it says itself (plugins/health.ts). Pure. */
  export interface Health {
    readonly state: 'starting' | 'healthy' | 'failed';
    /** What is waited for, or what is wrong; empty when it is healthy. */
    readonly why: string;
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

  /** What a server noticed of a machine that boots. */
  export interface BootNews {
    readonly address: string;
    readonly mac?: string;
    readonly step: BootStep;
    /** How much of that file it has, 0 to 1. */
    readonly share?: number;
  }

  /** Where a machine that boots by network is, in this order. */
  export type BootStep = 'address' | 'loader' | 'script' | 'kernel' | 'initrd' | 'started';

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

  /** A machine that asks for its boot script. */
  export interface BootingMachine {
    /** Lower case with colons. */
    readonly mac: string;
    readonly hostname: string;
    readonly role: string;
  }

  /** What it is to boot, and why. */
  export interface WantedImage {
    readonly image: {
      readonly name: string;
      readonly id: string;
    };
    /** The release whose image it is: the machine has to become healthy with it. */
    readonly release?: {
      readonly name: string;
      readonly version: number;
    };
    readonly why: string;
  }

  export interface FieldInterface {
    status(): Promise<FieldStatus>;
    /** Makes this machine's node known to another one of the same image, `ADDRESS` or `ADDRESS:PORT`. */
    join(peer: string): Promise<void>;
    /** What this machine and all together hold along the image. */
    strip(): Promise<FieldStrip>;
  }

  /** What `viver field status --json` prints. Bytes; `held` and `chunks` are counts, `rttMs` is null until measured. */
  export interface FieldStatus {
    readonly image: {
      readonly id: string;
      readonly name: string;
      readonly size: number;
      readonly chunks: number;
    };
    readonly node: {
      readonly id: string;
      readonly address: string;
      readonly held: number;
    };
    readonly peers: readonly {
      readonly id: string;
      readonly address: string;
      readonly held: number;
      readonly rttMs: number | null;
      /** Bytes of chunks that came from there, went there, and were false. */
      readonly traffic: {
        readonly from: number;
        readonly to: number;
        readonly rejected: number;
      };
    }[];
    /** How many nodes hold a chunk, this one counted: the least and the mean over all chunks. */
    readonly redundancy: {
      readonly min: number;
      readonly mean: number;
    };
    readonly traffic: {
      readonly fromPeers: number;
      readonly fromMedium: number;
      readonly fromOrigin: number;
      readonly toPeers: number;
      readonly rejected: number;
    };
    /**
     * What waits for the disk of a store, whether that is too slow for what comes, and how many chunks were not kept because
     * of that; null: there is no store.
     */
    readonly store: {
      readonly waitingBytes: number;
      readonly waitingChunks: number;
      readonly isBehind: boolean;
      readonly passedOver: number;
    } | null;
    /** Web servers with the image, and how each does: bytes that came from it, bytes per second while it was busy. */
    readonly origins: readonly OriginStatus[];
    /** Peers that gave false chunks or promises, and are shut out. */
    readonly shutOut: readonly {
      readonly id: string;
      readonly reason: string;
    }[];
    /** Bytes per second that this node sends and fetches at most; null: no limit. */
    readonly limits: {
      readonly up: number | null;
      readonly down: number | null;
    };
    /** ADDRESS or ADDRESS/LENGTH: whom a person has this node refuse. */
    readonly refused: readonly string[];
  }

  /** How an origin does, as the status has it. Bytes, and bytes per second. */
  export interface OriginStatus {
    readonly name: string;
    readonly state: 'asked' | 'resting' | 'unknown';
    readonly bytes: number;
    readonly rate: number | null;
    readonly failures: number;
    readonly fault: string | null;
  }

  /** What a node holds and what all hold together, along the image. */
  export interface FieldStrip {
    /** For each part a digit: 9 when this node holds all of it, 0 when nothing, else the share in ninths. */
    readonly held: string;
    /** For each part, how many nodes hold its rarest chunk. */
    readonly copies: readonly number[];
    /** What boots read; not there while this node knows no profile. */
    readonly read?: ReadStrip;
  }

  /** A boot profile along the image. */
  export interface ReadStrip {
    /** For each part a digit: 9 when it is read first of all, 1 when last, 0 when not. */
    readonly parts: string;
    /** Boots that are in it. */
    readonly boots: number;
    /** Of the image's chunks, those that boots read. */
    readonly chunks: number;
  }

  export interface DhcpInterface {
    mode(): Promise<DhcpDecision>;
  }

  export interface ImagesInterface {
    list(): Promise<readonly OfferedImage[]>;
    /** Gives one more image to others, from a file of this machine with its index beside it. */
    add(path: string): Promise<OfferedImage>;
    /** Where its files are, and from then on it is given to others; undefined when there is none of that name. */
    directory(name: string): Promise<string | undefined>;
  }

  export interface Plugin<P extends InterfaceName = InterfaceName, R extends InterfaceName = InterfaceName> {
    readonly name: string;
    /** One line: what it does. */
    readonly summary: string;
    /** The version of this API that it was written for; one that is not this VIVER's is refused with a line. */
    readonly api?: 1;
    readonly provides?: readonly P[];
    /** Interfaces that must be there: their providers are started first and stopped last. */
    readonly requires?: readonly R[];
    /** Interfaces that are asked when there; their providers are started first too. */
    readonly uses?: readonly R[];
    /** How long `start` may take before it counts as failed, for one that has much to do; default: two minutes. */
    readonly startTimeoutMs?: number;
    /** Before the switch: sets things in the new root. What fails is told, and the boot goes on. */
    prepare?(root: NewRoot): void | Promise<void>;
    /** After the switch. Gives what it provides, when it can answer. */
    start?(context: Context<R>): Provided<P> | Promise<Provided<P>>;
    /** After its last request, before its `defer`s. */
    stop?(): void | Promise<void>;
  }

  /** The root the machine is about to switch to. What is written goes to the upper layer, never to the image. */
  export interface NewRoot {
    readonly machine: Machine;
    readonly role: string;
    /** What will be its first program. */
    readonly init: InitSystem;
    /** Text of a file; undefined when there is none. A link counts as none: it may lead out of it. */
    read(path: string): string | undefined;
    has(path: string): boolean;
    /** Where a link leads, as it says itself; undefined when the path is no link. */
    linkTarget(path: string): string | undefined;
    /** What a directory holds, sorted; nothing when there is no such directory. */
    names(directory: string): readonly string[];
    /**
     * Whether a file or link is as the image has it. On a machine whose writes are kept it may be of an earlier boot: then
     * VIVER or a person has changed it since, and a person's word counts.
     */
    isOfImage(path: string): boolean;
    /**
     * Replaces what is there, a link too.
     * @throws Error for a path below /run/systemd/system when another init takes over: by that directory programs know systemd
     */
    write(path: string, text: string, mode?: number): void;
    /** @throws Error as `write` does */
    link(path: string, target: string): void;
    /** A file, a link, or a directory with all it holds; nothing there is fine. */
    remove(path: string): void;
    /** What was done and why, for boot.json. */
    readonly note: (what: string) => void;
  }

  /** What plugins and roles may know of the machine. */
  export interface Machine {
    readonly hostname: string;
    /** Of its interfaces, lower case with colons. */
    readonly macs: readonly string[];
    readonly addresses: readonly string[];
    readonly booted: 'medium' | 'network';
    /** The interface PXE used, by BOOTIF= of the command line. */
    readonly bootMac: string | undefined;
    readonly commandLine: string;
    readonly image: BootedImage | undefined;
  }

  /** The image this machine runs. */
  export interface BootedImage {
    readonly name: string;
    /** SHA-256 of its index; undefined while it has none. */
    readonly id: string | undefined;
    /** Where the file (or the block device that begins with it) is on this machine; undefined when it came by network. */
    readonly path: string | undefined;
  }

  /** What the image's first program is, as far as the shutdown must know. */
  export type InitSystem = 'systemd' | 'sysvinit' | 'openrc' | 'runit' | 'busybox' | 'unknown';

  /** What a plugin has at hand while it runs. `R`: the interfaces it requires or uses. */
  export interface Context<R extends InterfaceName = InterfaceName> {
    readonly machine: Machine;
    /** The name of this machine's role. */
    readonly role: string;
    /** What its role says of it beside the plugins. */
    readonly settings: RoleSettings;
    /** All roles of the roles file, in its order: those of machines that boot from here too. */
    readonly roles: readonly Role[];
    /**
     * The interface of that name. Each request of it ends by a time-out with an error that names both sides.
     * @throws Error when this plugin did not declare it, or nobody provides it (which only an interface of `uses` may)
     */
    ask<N extends R>(name: N): Interfaces[N];
    /** Whether an interface of `uses` is there. */
    has(name: R): boolean;
    /** How all plugins of this machine are. */
    plugins(): readonly PluginState[];
    /** A line for the operator. Of more than a thousand at once a line a second is written, and how many are not. */
    readonly log: (line: string) => void;
    /** Aborts when the plugin is stopped. */
    readonly signal: AbortSignal;
    /** Run when the plugin stops or its start fails, the last one first. */
    defer(cleanup: () => void | Promise<void>): void;
    /** It can do its work no more: it and what requires it are stopped, and tried again later. */
    fail(error: Error): void;
    /** What it told others has changed: it and what requires it are stopped and started again at once. */
    restart(reason: string): void;
  }

  /** What a role says of a machine beside its plugins. */
  export interface RoleSettings {
    /** For the kernel command line; what the machine's own says comes after it and wins. */
    readonly words: readonly string[];
    /** The image it boots from the network; without it the server's own. */
    readonly image?: ImageReference;
    /** `ask`: a key pressed shows it; `none`: nobody gets it; a number: shown for so many seconds. */
    readonly menu: 'ask' | 'none' | number;
    /** Who wants the menu must know it. A hash (password.ts). */
    readonly menuPassword?: string;
    /** Who wants the status of a machine with this role must know it. A hash. */
    readonly statusPassword?: string;
    /** False: a boot server sends it away. */
    readonly boot: boolean;
  }

  export interface ImageReference {
    readonly name: string;
    /** The image id, 64 lower-case hex digits, when the image is pinned: no other may boot. */
    readonly id?: string;
  }

  export interface Role {
    readonly name: string;
    /** `basic` stands for all the basic ones; a name with `-` before it is left out again. */
    readonly plugins: readonly string[];
    readonly machines: readonly MachinePattern[];
    readonly settings: RoleSettings;
  }

  /** Which machines have a role: one of the patterns must fit. */
  export type MachinePattern =
    | {
        readonly kind: 'mac' | 'host';
        readonly pattern: string;
      }
    | {
        readonly kind: 'address';
        readonly network: string;
        readonly prefixLength: number;
      }
    | {
        readonly kind: 'booted';
        readonly from: Machine['booted'];
      }
    | {
        readonly kind: 'any';
      };

  export interface PluginState {
    readonly name: string;
    readonly state: 'waiting' | 'starting' | 'running' | 'failed' | 'stopped';
    /** Why it is not running. */
    readonly why: string | undefined;
  }

  /** Requests are answered by functions that return promises; what they take and give is typed by the interface. */
  export type Provided<P extends InterfaceName> = {
    readonly [N in P]: Interfaces[N];
  };

  /** A plugin as the list of all takes it, whatever it provides and requires. */
  export type AnyPlugin = Omit<Plugin, 'start'> & {
    start?(context: Context): Partial<Interfaces> | Promise<Partial<Interfaces>>;
  };
}
