import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveControl } from '../../field/control.ts';
import { answerControl } from '../../field/control-words.ts';
import { roomNumber } from '../../field/members/rooms.ts';
import { FieldNode } from '../../field/node.ts';
import { Origins } from '../../field/origin/origins.ts';
import { NO_LIMITS, parseLimits } from '../../field/shares/limits.ts';
import { isPrefix, parsePrefixFile, Refusals } from '../../field/shares/refusals.ts';
import { PaperBox, type PaperRules } from '../../field/store/paper-box.ts';
import { type Endpoint, parseAddress } from '../../field/wire/address.ts';
import { FieldKey } from '../../field/wire/key.ts';
import { DEFAULT_PORT } from '../../field/wire/protocol.ts';
import { ChunkStore } from '../../image/chunk-store.ts';
import { releaseStartPages } from '../../linux/memory.ts';
import type { BlockSource } from '../../nbd/block-source.ts';
import { KernelDevice } from '../../nbd/kernel-device.ts';
import { openNbdDriver } from '../../nbd/kernel-driver.ts';
import { type NbdAddress, NbdServer } from '../../nbd/server.ts';
import { becomeStorageDaemon } from '../../nbd/storage-daemon.ts';
import { type NbdTarget, parseNbdTarget } from '../../nbd/target.ts';
import { parseResolvConf } from '../../net/address-plan.ts';
import { systemSeconds } from '../../root/again.ts';
import type { BootWatch } from '../boot-watch.ts';
import { UsageError } from '../command.ts';
import { CacheWatch } from './cache-watch.ts';
import { carryOver, openCarried } from './carried.ts';
import { indexPath, type OpenedImage, open } from './image.ts';
import { keepSignature, rulesOf } from './papers.ts';
import { watchProcessors } from './processors.ts';
import { followBoot, profileAnswer, watchBoot } from './profile.ts';
import { say } from './say.ts';
import { nodeIdOf, settleIn } from './store.ts';
import { parseBytes, type Values, word } from './words.ts';

/** Where /init leaves what the network's DHCP said. */
const NAME_SERVERS = '/run/viver/resolv.conf';
/** `--listen -`: where to listen comes as a line on standard input, once whoever starts the daemon knows it. */
const TOLD_LATER = '-';
/** Of the machine's memory, what a node keeps of the image when nothing else is said. */
const KEEP_SHARE = 0.25;
/** A daemon that is started later than this does not see a boot of its machine. */
const BOOT_SECONDS = 600;

/** The name servers that the network's own DHCP named, on a machine that VIVER started; else none are known here. */
function nameServers(): readonly string[] {
  try {
    return parseResolvConf(readFileSync(NAME_SERVERS, 'utf8')).dns;
  } catch {
    return []; // the system's own
  }
}

/** The daemon stays for as long as the machine runs: what only its start needed is not kept, nor locked in memory. */
function letGoOfStart(): void {
  try {
    releaseStartPages();
  } catch (error) {
    say(`takes more memory than it needs: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkWords(values: Values): void {
  if (values.image === undefined && values.id === undefined) throw new UsageError('up needs --image or --id');
  if (values.carried !== undefined && (values.image ?? values.store) !== undefined)
    throw new UsageError('--carried is for a node that keeps its chunks in memory');
  if (values.id !== undefined && !/^[0-9a-f]{64}$/i.test(values.id)) throw new UsageError('--id takes 64 hex digits');
}

const listenAddress = (text: string): Endpoint => word('listen', () => parseAddress(text, DEFAULT_PORT));

/** @throws Error when there is none */
async function firstLine(input: Readable, signal: AbortSignal): Promise<string> {
  try {
    for await (const line of createInterface({ input, signal })) return line;
  } finally {
    input.destroy(); // an open one would keep this process
  }
  signal.throwIfAborted();
  throw new Error('--listen -: standard input ended before there was an address');
}

/** `viver field up`: stays until SIGTERM or SIGINT. */
export async function up(values: Values, signal: AbortSignal): Promise<void> {
  checkWords(values);
  const startedAt = systemSeconds();
  const told = values.listen === TOLD_LATER ? undefined : listenAddress(values.listen ?? `0.0.0.0:${DEFAULT_PORT}`);
  const peers = (values.peer ?? []).map((peer) =>
    word('peer', () => {
      const { host, port } = parseAddress(peer, DEFAULT_PORT);
      return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    }),
  );
  const keep = values.keep === undefined ? Math.floor(totalmem() * KEEP_SHARE) : parseBytes('keep', values.keep);
  const target = values.nbd === undefined ? undefined : word('nbd', () => parseNbdTarget(values.nbd ?? ''));
  letGoOfStart();
  if (target?.kind === 'kernel') becomeStorageDaemon(say);
  const key = values.key === undefined ? undefined : new FieldKey(await readFile(values.key));
  const origins = word('origin', () => new Origins(values.origin ?? [], { log: say, nameServers }));
  const rules = await rulesOf(values.keys);
  const opened = signedOnly(await open(values, signal), rules);
  await using stack = new AsyncDisposableStack();
  if (opened.file !== undefined) stack.use(opened.file);
  const cache = target === undefined ? cacheWatchOf(values, opened) : undefined;
  if (cache !== undefined) stack.use(cache);
  const listen = told ?? listenAddress(await firstLine(process.stdin, signal));
  const node = await FieldNode.start({
    id: opened.id,
    name: opened.name,
    index: opened.index,
    papers: opened.papers,
    rules,
    medium: cache?.medium ?? opened.file,
    store: values.store === undefined ? undefined : new ChunkStore(values.store),
    carried: values.carried === undefined ? undefined : await openCarried(values.carried),
    node: values.store === undefined ? undefined : await nodeIdOf(values.store),
    origins,
    listen,
    peers,
    // On loopback there is no wire to call out on.
    multicast: !listen.host.startsWith('127.') && listen.host !== '::1',
    keep,
    // Something runs from a kernel device.
    readsFirst: target?.kind === 'kernel',
    key,
    limits: values.limit === undefined ? NO_LIMITS : word('limit', () => parseLimits(values.limit ?? '')),
    refusals: await refusals(values.refuse ?? []),
    room: values.site === undefined ? 0 : roomNumber(values.site),
    log: say,
  });
  stack.defer(() => node.close());
  const image = { id: opened.id, name: opened.name };
  let watch: BootWatch | undefined;
  if (values.control !== undefined) {
    const control = await serveControl(values.control, (words) => {
      if (words === 'profile') return profileAnswer(watch);
      if (words !== 'others boot') return answerControl(node, image, words);
      cache?.end();
      return {};
    });
    stack.defer(() => void control.close());
  }
  const index = await waitFor(node.ready(), signal);
  if (values.store !== undefined && opened.file === undefined) {
    await settleIn(values.store, image, index, keep, () => node.machine.data?.keep.bytes ?? 0);
    void keepSignature(indexPath(values.store, opened.id), node.papers.papers.signatures);
  }
  watch = watchBoot(node, index);
  // Something runs from it: its boot goes first.
  if (target?.kind === 'kernel') stack.defer(watchProcessors((others) => node.processors(others), say));
  // Of its own machine's boot only: one that a person serves by a socket boots whenever it is switched on.
  const isLate = (target?.kind === 'kernel' || cache !== undefined) && startedAt > BOOT_SECONDS;
  if (!isLate) cache?.start(watch);
  const reader = {
    index,
    watch,
    isReading: target !== undefined,
    isLate,
    ended: cache?.ended,
    lack: () => cache?.lack,
  };
  void followBoot(node, reader, { file: values.profile, store: values.store, origins });
  const served = target === undefined ? undefined : await serve(target, node.source, opened.id);
  if (served !== undefined) stack.defer(served.close);
  const where = served === undefined ? '' : ` nbd=${served.where}`;
  process.stdout.write(
    `viver field: ready image=${image.name}@${opened.id.slice(0, 12)} size=${index.size} chunks=${index.count} node=${node.address}${where}\n`,
  );
  const ending = served === undefined ? aborted(signal) : aborted(signal).then(served.unused);
  await Promise.race([ending, ...(served === undefined ? [] : [served.ended])]);
  await node.leave();
  if (values.carried !== undefined) await carryOver(node, values.carried);
}

/** Of an image that this machine may run from by itself. An image that was read as a whole is in memory as such. */
function cacheWatchOf({ image: path }: Values, { file, id, isRead }: OpenedImage): CacheWatch | undefined {
  if (file === undefined || path === undefined || isRead) return undefined;
  return new CacheWatch({ id, path, medium: file, log: say });
}

/** An index that was kept counts for no more than one that comes from others. */
function signedOnly(opened: OpenedImage, rules: PaperRules): OpenedImage {
  if (opened.file !== undefined || opened.index === undefined) return opened;
  if (new PaperBox(opened.papers, rules).admits(opened.index)) return opened;
  say('the index that is here is not signed by a known key: it comes from others');
  return { ...opened, index: undefined };
}

/** @param words each an address, or a file of them */
async function refusals(words: readonly string[]): Promise<Refusals> {
  const refused = new Refusals();
  for (const text of words) {
    const prefixes = isPrefix(text) ? [text] : await prefixesOf(text);
    word('refuse', () => refused.add(prefixes));
  }
  return refused;
}

/** @throws Error when the file cannot be read, or has another thing in it */
async function prefixesOf(path: string): Promise<readonly string[]> {
  try {
    return parsePrefixFile(await readFile(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`--refuse: ${path} is neither ADDRESS[/LENGTH] nor a file of such lines: ${why}`, { cause });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function waitFor<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

interface Served {
  readonly where: string;
  readonly ended: Promise<unknown>;
  /** Waits until ending this would fail nobody's reads. */
  readonly unused: () => Promise<void>;
  readonly close: () => Promise<void>;
}

async function serve(target: NbdTarget, source: BlockSource, id: string): Promise<Served> {
  if (target.kind === 'kernel') {
    const device = await KernelDevice.attach({
      driver: await openNbdDriver(),
      source,
      identifier: id,
      index: target.index,
      log: say,
    });
    const close = () => (device.inUse() ? device.abandon() : device.detach());
    return { where: device.path, ended: device.ended, unused: () => unused(device), close };
  }
  const server = new NbdServer({ source, log: say });
  const address = await server.listen(target.address);
  const never = new Promise<never>(() => {});
  return { where: formatTarget(address), ended: never, unused: async () => {}, close: () => server.close() };
}

const UNUSED_LOOK_MS = 200;

/** A root that lies on the device would stop for good: the machine's shutdown unmounts it first. */
async function unused(device: KernelDevice): Promise<void> {
  if (device.inUse()) say(`told to end, but ${device.path} is mounted: ends when it is not`);
  while (device.inUse()) await sleep(UNUSED_LOOK_MS);
}

function formatTarget(address: NbdAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  return address.host.includes(':') ? `tcp:[${address.host}]:${address.port}` : `tcp:${address.host}:${address.port}`;
}
