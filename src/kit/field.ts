import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { askStatus, serveControl } from '../field/control.ts';
import { FieldNode } from '../field/node.ts';
import { type FieldStatus, fieldStatus } from '../field/status.ts';
import { Origins } from '../field/store/origin.ts';
import { fieldStrip } from '../field/strip.ts';
import { parseAddress } from '../field/wire/address.ts';
import { FieldKey } from '../field/wire/key.ts';
import { DEFAULT_PORT } from '../field/wire/protocol.ts';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { ChunkStore } from '../image/chunk-store.ts';
import { type ImageFile, openImage } from '../image/image-file.ts';
import { imagePaths } from '../image/image-reference.ts';
import { readIndexFile, writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { releaseStartPages } from '../linux/memory.ts';
import type { BlockSource } from '../nbd/block-source.ts';
import { KernelDevice } from '../nbd/kernel-device.ts';
import { openNbdDriver } from '../nbd/kernel-driver.ts';
import { type NbdAddress, NbdServer } from '../nbd/server.ts';
import { becomeStorageDaemon } from '../nbd/storage-daemon.ts';
import { type NbdTarget, parseNbdTarget } from '../nbd/target.ts';
import { type Command, UsageError } from './command.ts';
import { withProgress } from './progress.ts';

/** Of the machine's memory, what a node keeps of the image when nothing else is said. */
const KEEP_SHARE = 0.25;

const OPTIONS = {
  image: { type: 'string' },
  index: { type: 'string' },
  id: { type: 'string' },
  name: { type: 'string' },
  listen: { type: 'string' },
  peer: { type: 'string', multiple: true },
  origin: { type: 'string', multiple: true },
  keep: { type: 'string' },
  store: { type: 'string' },
  nbd: { type: 'string' },
  control: { type: 'string' },
  key: { type: 'string' },
  json: { type: 'boolean' },
} as const;

export const field: Command = {
  name: 'field',
  summary: 'share a disk image with other machines, block by block; show how it goes',
  usage: `usage: viver field up (--image FILE.sqfs | --id HEX) [--listen ADDR:PORT] [--peer ADDR:PORT]…
                      [--origin URL]… [--keep BYTES] [--store DIR] [--nbd unix:PATH|tcp:ADDR:PORT|/dev/nbdN]
                      [--control PATH] [--key FILE] [--name NAME] [--index FILE]
       viver field status --control PATH [--json]

up       makes this machine a node of the field of one image and stays until SIGTERM or SIGINT. When it can serve
         reads it prints a line "viver field: ready …". On SIGTERM it hands over what only it holds, then leaves; a
         second signal ends it at once.
         --image FILE.sqfs   has the whole image; FILE.caibx beside it is its chunk index, made when missing
         --id HEX            joins the field of the image with this id; the index comes from the peers
         --listen ADDR:PORT  UDP and TCP, default 0.0.0.0:${DEFAULT_PORT}; port 0: any
         --peer ADDR:PORT    a node to ask for admission, beside those that multicast finds
         --origin URL        a web server with a chunk store (.castr), asked when no peer has a chunk
         --keep BYTES        of the image to keep for oneself and others (K, M, G allowed), default a quarter of the
                             machine's memory
         --store DIR         keeps the chunks there, over restarts, instead of in memory
         --nbd TARGET        the image as a block device. As long as a kernel device (/dev/nbdN) is mounted, SIGTERM
                             is put off, and a second one changes nothing
         --control PATH      a unix socket for status
         --key FILE          a secret that all nodes of the field have; strangers are refused
         --name NAME         what people call the image, default the file's name
         --index FILE        the image's chunk index, when it is not beside the image
status   what a running node knows of itself and the field. With --json one object:
         {image:{id,name,size,chunks}, node:{id,address,held}, peers:[{id,address,held,rttMs}],
         redundancy:{min,mean}, traffic:{fromPeers,fromMedium,fromOrigin,toPeers,rejected}, shutOut:[{id,reason}]}
         sizes and traffic in bytes; held and chunks count chunks; rttMs null when not measured yet
`,
  async run(args, signal) {
    const [action, ...rest] = args;
    if (action === 'up') await up(parseOptions(rest), signal);
    else if (action === 'status') await status(parseOptions(rest));
    else throw new UsageError(action === undefined ? 'one of up, status wanted' : `no action '${action}'`);
  },
};

type Values = ReturnType<typeof parseOptions>;

function parseOptions(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Runs what may complain of a word of the command line. */
function word<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`--${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `64M` → 67108864. Powers of 1024. @throws UsageError */
export function parseBytes(text: string): number {
  const found = /^(\d{1,15})([KMGT]?)$/i.exec(text);
  if (found === null) throw new UsageError(`--keep: '${text}' is no number of bytes (K, M, G, T may follow)`);
  const bytes = Number(found[1]) * 1024 ** ' KMGT'.indexOf((found[2] || ' ').toUpperCase());
  if (!Number.isSafeInteger(bytes)) throw new UsageError(`--keep: '${text}' is too large`);
  return bytes;
}

interface OpenedImage {
  readonly file: ImageFile | undefined;
  readonly index: ChunkIndex | undefined;
  readonly id: string;
  readonly name: string;
}

/** Nothing of the image is here but what a directory has. */
async function joining(values: Values): Promise<OpenedImage> {
  const id = (values.id ?? '').toLowerCase();
  const index = values.store === undefined ? undefined : await keptIndex(values.store, id);
  return { file: undefined, index, id, name: values.name ?? id.slice(0, 12) };
}

async function open(values: Values, signal: AbortSignal): Promise<OpenedImage> {
  if (values.image === undefined) return joining(values);
  const beside = imagePaths(values.image);
  const paths = { ...beside, index: values.index ?? beside.index };
  let file: ImageFile;
  try {
    file = await openImage(values.image);
  } catch (error) {
    // Started anew after its medium was taken out: whoever reads from it must not suffer for that.
    if (values.id === undefined) throw error;
    say(`${error instanceof Error ? error.message : String(error)}: all of the image comes from others`);
    return joining(values);
  }
  const hasIndex = await access(paths.index).then(
    () => true,
    () => false,
  );
  if (hasIndex) {
    const index = await readIndexFile(paths.index, values.id);
    if (index.size !== file.size)
      throw new Error(`${paths.index} is of an image of ${index.size} bytes, not ${file.size}`);
    return { file, index, id: index.id, name: values.name ?? basename(paths.name) };
  }
  const index = await withProgress('index', (onProgress) => makeChunkIndex(file, { signal, onProgress }));
  if (values.id !== undefined && values.id.toLowerCase() !== index.id) {
    throw new Error(`${values.image} has the id ${index.id}, wanted ${values.id}`);
  }
  await writeIndexFile(paths.index, index).catch((error: unknown) => say(`index not kept: ${String(error)}`));
  return { file, index, id: index.id, name: values.name ?? basename(paths.name) };
}

function indexPath(store: string, id: string): string {
  return join(store, `${id}.caibx`);
}

/** A directory store keeps the index too: its node serves what it has even while no peer is there. */
async function keptIndex(store: string, id: string): Promise<ChunkIndex | undefined> {
  const path = indexPath(store, id);
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  return readIndexFile(path, id).catch((error: unknown) => {
    say(`kept index is of no use: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
}

/** A node with a directory is the same node in its next life. */
async function nodeIdOf(store: string): Promise<number> {
  const path = join(store, 'node');
  await mkdir(store, { recursive: true });
  const text = await readFile(path, 'latin1').catch(() => '');
  const known = /^[0-9a-f]{12}\n$/.test(text) ? Number.parseInt(text, 16) : undefined;
  if (known !== undefined) return known;
  const node = randomBytes(6).readUIntBE(0, 6);
  await writeFile(path, `${node.toString(16).padStart(12, '0')}\n`);
  return node;
}

/** The daemon stays for as long as the machine runs: what only its start needed is not kept, nor locked in memory. */
function letGoOfStart(): void {
  try {
    releaseStartPages();
  } catch (error) {
    say(`takes more memory than it needs: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function say(line: string): void {
  process.stderr.write(`viver field: ${line}\n`);
}

function checkWords(values: Values): void {
  if (values.json !== undefined) throw new UsageError('up takes no --json');
  if (values.image === undefined && values.id === undefined) throw new UsageError('up needs --image or --id');
  if (values.id !== undefined && !/^[0-9a-f]{64}$/i.test(values.id)) throw new UsageError('--id takes 64 hex digits');
}

async function up(values: Values, signal: AbortSignal): Promise<void> {
  checkWords(values);
  const listen = word('listen', () => parseAddress(values.listen ?? `0.0.0.0:${DEFAULT_PORT}`, DEFAULT_PORT));
  const peers = (values.peer ?? []).map((peer) =>
    word('peer', () => {
      const { host, port } = parseAddress(peer, DEFAULT_PORT);
      return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    }),
  );
  const keep = values.keep === undefined ? Math.floor(totalmem() * KEEP_SHARE) : parseBytes(values.keep);
  const target = values.nbd === undefined ? undefined : word('nbd', () => parseNbdTarget(values.nbd ?? ''));
  letGoOfStart();
  if (target?.kind === 'kernel') becomeStorageDaemon(say);
  const key = values.key === undefined ? undefined : new FieldKey(await readFile(values.key));
  const origins = word('origin', () => new Origins(values.origin ?? []));
  const opened = await open(values, signal);
  await using stack = new AsyncDisposableStack();
  if (opened.file !== undefined) stack.use(opened.file);
  const node = await FieldNode.start({
    id: opened.id,
    name: opened.name,
    index: opened.index,
    medium: opened.file,
    store: values.store === undefined ? undefined : new ChunkStore(values.store),
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
    log: say,
  });
  stack.defer(() => node.close());
  const image = { id: opened.id, name: opened.name };
  if (values.control !== undefined) {
    const control = await serveControl(values.control, (asked) => {
      if (asked === 'status') return fieldStatus(node, image);
      return asked === 'strip' ? fieldStrip(node) : { error: `no question '${asked}'` };
    });
    stack.defer(() => void control.close());
  }
  const index = await waitFor(node.ready(), signal);
  if (values.store !== undefined && opened.file === undefined) {
    await writeIndexFile(indexPath(values.store, opened.id), index);
  }
  const served = target === undefined ? undefined : await serve(target, node.source, opened.id);
  if (served !== undefined) stack.defer(served.close);
  const where = served === undefined ? '' : ` nbd=${served.where}`;
  process.stdout.write(
    `viver field: ready image=${image.name}@${opened.id.slice(0, 12)} size=${index.size} chunks=${index.count} node=${node.address}${where}\n`,
  );
  const told = served === undefined ? aborted(signal) : aborted(signal).then(served.unused);
  await Promise.race([told, ...(served === undefined ? [] : [served.ended])]);
  await node.leave();
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

async function status(values: Values): Promise<void> {
  if (values.control === undefined) throw new UsageError('status needs --control PATH');
  const found = await askStatus(values.control);
  process.stdout.write(values.json === true ? `${JSON.stringify(found)}\n` : describe(found));
}

function describe({ image, node, peers, redundancy, traffic, shutOut }: FieldStatus): string {
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const share = (held: number): string => `${held} of ${image.chunks} chunks`;
  return [
    `image ${image.name}@${image.id.slice(0, 12)}, ${mb(image.size)}`,
    `node ${node.id} at ${node.address} holds ${share(node.held)}`,
    ...peers.map(
      ({ id, address, held, rttMs }) =>
        `peer ${id} at ${address} holds ${share(held)}${rttMs === null ? '' : `, ${rttMs} ms away`}`,
    ),
    ...shutOut.map(({ id, reason }) => `shut out: ${id} ${reason}`),
    `every chunk is held ${redundancy.min} times at least, ${redundancy.mean} times in the mean`,
    `from peers ${mb(traffic.fromPeers)}, from the medium ${mb(traffic.fromMedium)}, from origins ${mb(traffic.fromOrigin)}, to peers ${mb(traffic.toPeers)}, refused ${mb(traffic.rejected)}`,
    '',
  ].join('\n');
}
