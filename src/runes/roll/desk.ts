/** What the plugin `roll` does, apart from its timers: who is asked, what is answered. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RELEASE_LIMIT_BYTES, RELEASE_SUFFIX, type ReadRelease } from '../../image/release.ts';
import { describeError } from '../../linux/describe-error.ts';
import { regularFileBytes } from '../../linux/file.ts';
import type { BootSteering, DhcpDecision, Network, OfferedImage } from '../engine/interfaces.ts';
import { fetchText } from '../fetch-text.ts';
import type { Machine } from '../machine.ts';
import type { MachineStatus } from '../machine-status.ts';
import { fetchStatus, hostOf } from '../peers.ts';
import type { RollBook } from './book.ts';
import type { GivenImage, RollDone, RolledMachine, RollKnown } from './known.ts';
import { given, heard, leftFor, overdue } from './line.ts';
import { viewOf } from './view.ts';

export interface RollDeskOptions {
  readonly book: RollBook;
  readonly machine: Machine;
  readonly role: string;
  readonly network: Network;
  readonly log: (line: string) => void;
  /** Who boots others: this machine when its mode is not `standby`; undefined: no such plugin. */
  readonly dhcp: () => Promise<DhcpDecision | undefined>;
  readonly field: () => Promise<FieldFacts | undefined>;
  readonly images: () => Promise<readonly OfferedImage[]>;
  readonly offer: (path: string) => Promise<OfferedImage>;
  /** Has this machine start anew, now or soon. */
  readonly startAnew: (why: string) => void;
  /** Where the paths of offered images are kept over a restart of the plugins. */
  readonly offeredFile: string;
}

/** Of a field's status. */
export interface FieldFacts {
  readonly image: { readonly id: string; readonly name: string; readonly size: number };
  readonly peers: readonly { readonly address: string }[];
}

/** Where each machine tells the releases it knows. */
export const RELEASES_PATH = '/releases.json';
const ANSWER_MS = 1500;
const MOST_ASKED = 32;
const MOST_SHOWN = 256;
/** Machines that are asked for releases at a time. */
const MOST_TELLERS = 8;
const LARGEST_RELEASES = 256 << 10;
const MOST_RELEASES = 16;

export class RollDesk {
  readonly #options: RollDeskOptions;
  readonly #book: RollBook;
  /** The release by which this machine was booted: `NAME@VERSION` of its command line. */
  readonly #bootedBy: { readonly name: string; readonly version: number } | undefined;

  constructor(options: RollDeskOptions) {
    this.#options = options;
    this.#book = options.book;
    const [, name, version] = /(?:^|\s)viver\.release=([^\s@]+)@(\d+)/.exec(options.machine.commandLine) ?? [];
    this.#bootedBy = name === undefined ? undefined : { name, version: Number(version) };
  }

  /** What the web server asks for each machine that boots. */
  get steering(): BootSteering {
    const book = this.#book;
    return {
      isActive: () => book.lines.length > 0,
      choose: (machine) => book.choose(machine),
      given: (machine, wanted, address) => {
        const { release } = wanted;
        if (release === undefined) return;
        book.update((line) =>
          line.read.release.name === release.name ? given(line, machine, address, book.upMs) : line,
        );
        this.#options.log(
          `${machine.mac} (${address}) is sent to ${wanted.image.name}: ${release.name} ${release.version}`,
        );
      },
      left: (address) => book.update((line) => leftFor(line, address)),
      words: (wanted) => this.#words(wanted),
    };
  }

  #words(wanted: Parameters<BootSteering['words']>[0]): readonly string[] {
    const { release } = wanted ?? {};
    const [line] = this.#book.lines;
    const of = release ?? line?.read.release;
    if (of === undefined) return [];
    const word = `viver.release=${of.name}@${of.version}`;
    if (release === undefined) return [`${word},other`];
    // a kernel or init that dies, and a boot that fails, must come back by themselves
    const { commandLine } = this.#options.machine;
    return [word, ...(/(^|\s)panic=/.test(commandLine) ? [] : ['panic=30']), 'systemd.crash_reboot=yes'];
  }

  /** Answers a line of the control socket. @throws Error that says what cannot be done */
  async answer(words: string): Promise<unknown> {
    const [action = ''] = words.split(' ', 1);
    const rest = words.slice(action.length + 1);
    switch (action) {
      case 'known':
        // The next version is made from it: one that is made from an older release than others have is refused by them.
        await this.gather();
        return await this.known();
      case 'offer':
        return await this.#offer(String(JSON.parse(rest)));
      case 'release':
        return await this.#release(String(JSON.parse(rest)));
      default:
        throw new Error(`no question '${action}'`);
    }
  }

  async #offer(path: string): Promise<GivenImage> {
    const { name, id, sizeBytes, peer } = await this.#options.offer(path);
    const { offeredFile } = this.#options;
    const known = existsSync(offeredFile) ? readFileSync(offeredFile, 'utf8').split('\n') : [];
    writeFileSync(
      offeredFile,
      [...new Set([...known.filter((one) => one !== ''), path])].map((one) => `${one}\n`).join(''),
      {
        mode: 0o600,
      },
    );
    return { name, id, sizeBytes, peer };
  }

  /** Gives the images again that were given before the plugins were restarted. */
  async offerAgain(): Promise<void> {
    const { offeredFile, log } = this.#options;
    if (!existsSync(offeredFile)) return;
    for (const path of readFileSync(offeredFile, 'utf8')
      .split('\n')
      .filter((one) => one !== '')) {
      await this.#options.offer(path).catch((error: unknown) => log(`${path} is not offered: ${describeError(error)}`));
    }
  }

  async #release(text: string): Promise<RollDone> {
    if (!this.#book.hasKeys) {
      const { isServer, server } = await this.#serving();
      if (!isServer)
        throw new Error(
          `without keys only the boot server takes a release, which is ${server ?? 'no machine now'}: run this there, or put a public key into the initrd (etc/viver/keys)`,
        );
    }
    const { read, isNew } = this.#book.accept(text, 'root');
    if (isNew) this.#tell(read);
    const { kept, notKept } = await this.#keep(read);
    const line = this.#book.lines.find((one) => one.read === read);
    if (line === undefined) throw new Error('the release is gone again');
    return { view: viewOf(line, this.#book.nowSeconds), kept, notKept };
  }

  /** Another machine brought it, or root. */
  #tell(read: ReadRelease): void {
    const { name, version, image } = read.release;
    this.#options.log(`release ${name} ${version}: ${image.name}@${image.id.slice(0, 12)}`);
    void this.#change(read).catch((error: unknown) => this.#options.log(describeError(error)));
  }

  /** `when: now`: this machine starts anew when it is to have another image than it runs. */
  async #change({ release }: ReadRelease): Promise<void> {
    const { machine, network, role } = this.#options;
    const by = this.#bootedBy;
    // The boot server has chosen by this release already, or by a later one: it would choose the same again.
    const isDecided = by?.name === release.name && by.version >= release.version;
    if (release.when !== 'now' || machine.booted !== 'network' || isDecided) return;
    const { image } = (await this.#options.field()) ?? {};
    if (image === undefined) return;
    const [wanted] = this.#book.choose({ mac: network.mac, hostname: machine.hostname.toLowerCase(), role });
    if (wanted === undefined || wanted.image.id === image.id) return;
    this.#options.startAnew(`${release.name} ${release.version} says now: ${wanted.image.name}`);
  }

  /** Beside the image, where that lies on this machine's medium, so that the medium says which of its images boots. */
  async #keep(read: ReadRelease): Promise<{ kept: readonly string[]; notKept: string | null }> {
    const { machine } = this.#options;
    const directory = mediumDirectory(machine);
    const { image } = read.release;
    const path = directory === undefined ? undefined : join(directory, image.name + RELEASE_SUFFIX);
    if (directory === undefined || path === undefined || !existsSync(join(directory, `${image.name}.sqfs`)))
      return { kept: [], notKept: null };
    try {
      writeFileSync(path, read.text, { flush: true });
      return { kept: [path], notKept: null };
    } catch (error) {
      return { kept: [], notKept: `${path}: ${describeError(error)}` };
    }
  }

  /** Releases that lie on the medium beside its images: what was rolled out before a power cut. */
  async readMedium(): Promise<void> {
    const directory = mediumDirectory(this.#options.machine);
    if (directory === undefined || !existsSync(directory)) return;
    const names = readdirSync(directory).filter((name) => name.endsWith(RELEASE_SUFFIX));
    for (const name of names.sort().slice(0, MOST_RELEASES)) {
      try {
        const bytes = await regularFileBytes(join(directory, name), RELEASE_LIMIT_BYTES);
        const { read, isNew } = this.#book.accept(bytes.toString('utf8'), 'medium');
        if (isNew) this.#options.log(`${name}: release ${read.release.name} ${read.release.version}`);
      } catch (error) {
        this.#options.log(`${name} on the medium is not taken: ${describeError(error)}`);
      }
    }
  }

  /** What other machines are told who ask. */
  releases(): { readonly version: 1; readonly releases: readonly string[] } {
    return { version: 1, releases: this.#book.lines.map(({ read }) => read.text) };
  }

  /** Asks some machines for releases; without keys nobody is. */
  async gather(random: () => number = Math.random): Promise<void> {
    if (!this.#book.hasKeys) return;
    const hosts = [...(await this.#hosts())];
    const asked = hosts.map((host) => ({ host, at: random() })).sort((a, b) => a.at - b.at);
    const texts = await Promise.all(
      asked.slice(0, MOST_TELLERS).map(({ host }) =>
        // gone, or without releases: it is asked again some time
        fetchText(host, RELEASES_PATH, ANSWER_MS, LARGEST_RELEASES).catch(() => undefined),
      ),
    );
    for (const text of texts) if (text !== undefined) this.#take(text);
  }

  #take(text: string): void {
    let releases: unknown;
    try {
      releases = (JSON.parse(text) as { releases?: unknown } | null)?.releases;
    } catch {
      return; // whoever answers so has none
    }
    if (!Array.isArray(releases)) return;
    for (const one of releases.slice(0, MOST_RELEASES)) {
      if (typeof one !== 'string' || this.#book.lines.some(({ read }) => read.text === one)) continue;
      try {
        const { read, isNew } = this.#book.accept(one, 'wire');
        if (isNew) this.#tell(read);
      } catch {
        // older than what is known here, or not signed: nobody is to fill the log with it
      }
    }
  }

  /** Addresses of machines of this field, and of those that were sent to another image. */
  async #hosts(): Promise<ReadonlySet<string>> {
    const field = await this.#options.field();
    const hosts = new Set((field?.peers ?? []).map(({ address }) => hostOf(address)));
    for (const { attempts } of this.#book.lines) for (const { address } of attempts.values()) hosts.add(address);
    hosts.delete(this.#options.network.address);
    return hosts;
  }

  /** Asks those that were sent to load a new image how they are. */
  async watch(): Promise<void> {
    const book = this.#book;
    book.update((line) => overdue(line, book.upMs));
    const booting = book.lines.flatMap(({ attempts }) => [...attempts].filter(([, one]) => one.state === 'booting'));
    const addresses = new Set(booting.slice(0, MOST_ASKED).map(([, { address }]) => address));
    // No answer: it loads, or its system starts.
    const statuses = await Promise.all([...addresses].map((host) => statusOrNothing(host)));
    for (const status of statuses) {
      if (status === undefined) continue;
      const { mac, hostname, image, health } = status;
      book.update((line) => heard(line, { mac, hostname, imageId: image?.id ?? null, health }));
    }
  }

  async #serving(): Promise<{ readonly isServer: boolean; readonly server: string | null }> {
    const { dhcp, network } = this.#options;
    const decision = await dhcp();
    const isServer = decision !== undefined && decision.mode !== 'standby';
    if (isServer) return { isServer, server: network.address };
    const serving = (await this.#statuses()).find((status) => ['full', 'proxy'].includes(status.dhcp?.mode ?? ''));
    return { isServer, server: serving?.address ?? null };
  }

  async #statuses(): Promise<readonly MachineStatus[]> {
    const hosts = [...(await this.#hosts())].slice(0, MOST_SHOWN);
    const all = await Promise.all(hosts.map((host) => statusOrNothing(host)));
    return all.flatMap((status, i) => (status === undefined ? [] : [{ ...status, address: hosts[i] ?? '' }]));
  }

  async known(): Promise<RollKnown> {
    const { machine, network, role } = this.#options;
    const [field, offered, { isServer, server }] = await Promise.all([
      this.#options.field(),
      this.#options.images(),
      this.#serving(),
    ]);
    const [statuses, ownStatus] = await Promise.all([this.#statuses(), statusOrNothing(network.address)]);
    const name = machine.image?.name ?? field?.image.name ?? '';
    const own = field === undefined ? null : { name, id: field.image.id, sizeBytes: field.image.size };
    const self: RolledMachine = {
      ...{ hostname: machine.hostname, mac: network.mac, address: network.address, role, booted: machine.booted },
      image: own === null ? null : { name: own.name, id: own.id },
      health: ownStatus?.health ?? null,
    };
    const shown = ({ name, id, sizeBytes, isKept }: OfferedImage, address: string) => ({
      ...{ name, id, sizeBytes, isKept, address },
    });
    return {
      ...{ server, isServer, hasKeys: this.#book.hasKeys, own },
      rolls: this.#book.lines.map((line) => ({ text: line.read.text, view: viewOf(line, this.#book.nowSeconds) })),
      images: [
        ...offered.map((one) => shown(one, network.address)),
        ...statuses.flatMap(({ images, address }) => images.map((one) => shown(one, address))),
      ],
      machines: [
        self,
        ...statuses.map(({ hostname, mac, address, role: theirs, booted, image, health }) => ({
          ...{ hostname, mac, address, role: theirs, booted, image, health },
        })),
      ],
    };
  }
}

function statusOrNothing(host: string): Promise<MachineStatus | undefined> {
  return fetchStatus(host, ANSWER_MS, 'brief').catch(() => undefined);
}

/** The directory of the running image on this machine's own medium. */
function mediumDirectory({ booted, image }: Machine): string | undefined {
  const path = booted === 'medium' ? image?.path : undefined;
  return path?.endsWith('.sqfs') === true ? dirname(path) : undefined;
}
