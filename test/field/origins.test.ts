/** Fields that hang on web servers: nginx, squid before it, and one slow link for all. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Lab } from '../bench/field/lab.ts';
import { VIVER } from '../bench/field/runs.ts';
import { type Daemon, FieldTest, hashOf, until } from './field-harness.ts';

/** The image of a test as a store that nginx serves. */
class Web implements AsyncDisposable {
  readonly log: string;
  readonly #child: ReturnType<typeof spawn>;

  private constructor(log: string, child: ReturnType<typeof spawn>) {
    this.log = log;
    this.#child = child;
  }

  static async start(field: FieldTest, address: string, wrapper: readonly string[] = []): Promise<Web> {
    const store = join(field.directory, 'origin.castr');
    execFileSync(VIVER, ['chunk', 'store', field.image.path, store]);
    execFileSync('chmod', ['-R', 'a+rX', field.directory]);
    const log = join(field.directory, 'access.log');
    const conf = join(field.directory, 'nginx.conf');
    writeFileSync(
      conf,
      `daemon off; user root; pid ${field.directory}/nginx.pid; error_log stderr; events {}
       http { log_format sent '$bytes_sent $request_uri'; access_log ${log} sent; keepalive_requests 100000;
       server { listen ${address}; root ${store}; add_header Cache-Control "public, max-age=3600"; } }`,
    );
    const [command = '', ...before] = [...wrapper, 'nginx'];
    const child = spawn(command, [...before, '-c', conf, '-p', field.directory, '-e', 'stderr'], { stdio: 'ignore' });
    const web = new Web(log, child);
    if (wrapper.length === 0) await until('nginx', () => answers(address));
    return web;
  }

  /** Bytes that were sent, headers too. */
  get sent(): number {
    return readFileSync(this.log, 'utf8')
      .split('\n')
      .reduce((sum, row) => sum + Number(row.split(' ')[0] ?? 0), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await once(this.#child, 'exit');
  }
}

function answers(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

test('a node without any peer has all from nginx, the index too; the second one through squid from its cache', async () => {
  await using field = new FieldTest(2);
  const address = `127.0.0.1:${await freePort()}`;
  await using web = await Web.start(field, address);
  const alone = field.up(['--id', field.image.id, '--origin', `http://${address}/`]);
  await alone.ready();
  expect(await hashOf(alone)).toBe(field.image.sha256);
  const { origins, traffic } = await alone.status();
  expect(origins).toMatchObject([{ name: `http://${address}/`, state: 'asked', failures: 0 }]);
  expect(traffic).toMatchObject({ fromPeers: 0, fromOrigin: field.image.size });
  await alone.kill();

  const port = await freePort();
  const conf = join(field.directory, 'squid.conf');
  writeFileSync(
    conf,
    `http_port 127.0.0.1:${port}
cache_mem 64 MB
maximum_object_size_in_memory 1 MB
http_access allow all
pid_filename none
cache_log /dev/null
access_log none
coredump_dir ${field.directory}
visible_hostname squid.test
shutdown_lifetime 0 seconds
`,
  );
  const squid = spawn('squid', ['-N', '-f', conf], { stdio: 'ignore' });
  try {
    await until('squid', () => answers(`127.0.0.1:${port}`));
    const before = web.sent;
    const wrapper = ['env', `http_proxy=http://127.0.0.1:${port}/`];
    const hashes: string[] = [];
    const sent: number[] = [];
    for (let boot = 0; boot < 2; boot++) {
      const node = field.up(['--id', field.image.id, '--origin', `http://${address}/`], { wrapper });
      await node.ready();
      hashes.push(await hashOf(node));
      sent.push(web.sent - before);
      await node.kill();
    }
    expect(hashes).toEqual([field.image.sha256, field.image.sha256]);
    expect(sent[0]).toBeGreaterThan(field.image.size * 0.9);
    // Of the second boot nothing came to the origin.
    expect((sent[1] ?? 0) - (sent[0] ?? 0)).toBeLessThan(field.image.size * 0.02);
  } finally {
    squid.kill('SIGKILL');
    await once(squid, 'exit');
  }
}, 120_000);

test('ten nodes behind one link of 20 Mbit/s: the image crosses it once', async () => {
  const NODES = 10;
  using lab = Lab.create(NODES + 1, undefined);
  await using field = new FieldTest(12);
  const inside = (host: number): string[] => ['ip', 'netns', 'exec', lab.namespace(host)];
  execFileSync('tc', [
    ...['-n', lab.namespace(NODES), 'qdisc', 'add', 'dev', 'eth0', 'root', 'tbf'],
    ...['rate', '20mbit', 'burst', '32k', 'limit', '256k'],
  ]);
  await using _web = await Web.start(field, `${lab.address(NODES)}:80`, inside(NODES));
  const before = lab.sentBytes(NODES);
  const nodes: Daemon[] = [];
  for (let host = 0; host < NODES; host++) {
    const peers = host === 0 ? [] : ['--peer', `${lab.address(0)}:20070`];
    nodes.push(
      field.up(['--id', field.image.id, '--origin', `http://${lab.address(NODES)}/`, ...peers], {
        listen: `${lab.address(host)}:20070`,
        wrapper: inside(host),
      }),
    );
  }
  await Promise.all(nodes.map((node) => node.ready()));
  await until('all know all', async () => {
    const all = await Promise.all(nodes.map((node) => node.status()));
    return all.every(({ peers }) => peers.length === NODES - 1);
  });
  const hashes = await Promise.all(nodes.map((node) => hashOf(node, 100)));
  for (const hash of hashes) expect(hash).toBe(field.image.sha256);
  const images = (lab.sentBytes(NODES) - before) / field.image.size;
  process.stderr.write(`ten nodes: ${images.toFixed(3)} images crossed the link\n`);
  expect(images).toBeLessThan(1.1 + (10 * (field.image.chunks * 40 + 10_000)) / field.image.size);
}, 180_000);
