/** What stands between machines on a wire and an image far away: web servers, a cache, a name server. All real ones. */
import type { ChildProcess } from 'node:child_process';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { made } from './disks.ts';
import type { Image } from './images.ts';
import { product, vmDirectory } from './products.ts';
import type { WireHost } from './wire-host.ts';

const run = promisify(execFile);
const CACHE_PORT = 3128;

/** The image as a web server has it, by `viver chunk store`. */
export function storeOf(image: Image): Promise<string> {
  const inputs = { description: 'chunk store', files: [image.sqfs, image.caibx, product('viver')] };
  return made(`${image.name}.castr`, inputs, async (target, work) => {
    const path = join(work, `${image.name}.sqfs`);
    symlinkSync(image.sqfs, path);
    symlinkSync(image.caibx, join(work, `${image.name}.caibx`));
    await run(product('viver'), ['chunk', 'store', path, target]);
    await run('chmod', ['-R', 'a+rX', target]);
  });
}

export interface WebPlace {
  /** The directory it serves. */
  readonly store: string;
  readonly address: string;
  /** A certificate with its key, as files; without them it speaks plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** nginx, one process, so that its end is an end. */
export class WebServer {
  readonly #host: WireHost;
  readonly #words: readonly string[];
  readonly #log: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(host: WireHost, log: string, port: number, words: readonly string[]) {
    this.#host = host;
    this.#log = log;
    this.#port = port;
    this.#words = words;
  }

  static async start(host: WireHost, { store, address, tls }: WebPlace): Promise<WebServer> {
    const home = vmDirectory('hosts', `${host.name}-${address}`);
    const log = join(home, 'access.log');
    rmSync(log, { force: true });
    const port = tls === undefined ? 80 : 443;
    const secure = tls && `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key};`;
    // Debian 12's nginx has http2 as a word of listen.
    const listen = secure === undefined ? `${address}:80` : `${address}:443 ssl http2`;
    const conf = join(home, 'nginx.conf');
    writeFileSync(
      conf,
      `daemon off; master_process off; user root; pid ${home}/pid; error_log stderr crit; events {}
       http { log_format sent '$bytes_sent $request_uri'; access_log ${log} sent; keepalive_requests 100000;
       server { listen ${listen}; ${secure ?? ''} root ${store};
       add_header Cache-Control "public, max-age=3600"; } }`,
    );
    const server = new WebServer(host, log, port, ['-c', conf, '-p', home, '-e', 'stderr']);
    await server.begin();
    return server;
  }

  /** Starts it again; the log goes on. */
  async begin(): Promise<void> {
    this.#child = await this.#host.serve(this.#port, 'nginx', this.#words);
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await this.#host.kill(this.#child);
  }

  /** Bytes that were sent, heads too. */
  get sentBytes(): number {
    return this.#rows().reduce((sum, row) => sum + Number(row.split(' ')[0] ?? 0), 0);
  }

  /** Chunks that were asked for. */
  get chunks(): number {
    return this.#rows().filter((row) => row.endsWith('.cacnk')).length;
  }

  #rows(): readonly string[] {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8').split('\n') : [];
  }
}

/** squid as a cache in memory, at port 3128. */
export async function startCache(host: WireHost): Promise<void> {
  const home = vmDirectory('hosts', `${host.name}-squid`);
  const conf = join(home, 'squid.conf');
  writeFileSync(
    conf,
    `http_port ${CACHE_PORT}
cache_mem 128 MB
maximum_object_size_in_memory 1 MB
http_access allow all
pid_filename none
cache_log /dev/null
access_log none
coredump_dir /tmp
visible_hostname squid.test
shutdown_lifetime 0 seconds
`,
  );
  await host.serve(CACHE_PORT, 'squid', ['-N', '-f', conf], { stdio: 'ignore' });
}

/** dnsmasq: addresses for machines, and names that change. */
export class NameServer {
  readonly #host: WireHost;
  #child: ChildProcess | undefined;

  constructor(host: WireHost) {
    this.#host = host;
  }

  /**
   * Knows these and nothing else from now on.
   * @param hosts addresses by name
   * @param services `HOST,PORT` by name (SRV)
   */
  async tell(hosts: Readonly<Record<string, string>>, services: Readonly<Record<string, string>>): Promise<void> {
    if (this.#child !== undefined) await this.#host.kill(this.#child);
    const leases = join(vmDirectory('hosts', `${this.#host.name}-dns`), 'leases');
    this.#child = await this.#host.serve(53, 'dnsmasq', [
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--pid-file='],
      ...['--bind-interfaces', '--interface=wire0', '--local-ttl=5', `--dhcp-leasefile=${leases}`],
      ...['--dhcp-range=10.77.0.100,10.77.0.150,1h', '--log-facility=/dev/null', '--dhcp-authoritative'],
      ...Object.entries(hosts).map(([name, address]) => `--host-record=${name},${address}`),
      ...Object.entries(services).map(([name, target]) => `--srv-host=${name},${target}`),
    ]);
  }
}

/** A CA, and certificates by it for names, as PEM files. */
export class Authority {
  readonly #home: string;

  constructor(name: string) {
    this.#home = vmDirectory('hosts', `${name}-ca`);
    this.#openssl('req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test CA', ...DAYS);
  }

  get pem(): string {
    return readFileSync(join(this.#home, 'ca.pem'), 'utf8');
  }

  certificateOf(name: string): { readonly certificate: string; readonly key: string } {
    this.#openssl('req', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(this.#home, `${name}.ext`), `subjectAltName=DNS:${name}\nbasicConstraints=CA:FALSE\n`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...by, ...DAYS);
    return { certificate: join(this.#home, `${name}.pem`), key: join(this.#home, `${name}.key`) };
  }

  #openssl(...words: readonly string[]): void {
    execFileSync('openssl', words, { cwd: this.#home, stdio: 'pipe' });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const DAYS = ['-days', '30'];
