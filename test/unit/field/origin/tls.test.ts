/** Origins over TLS: nginx with HTTP/2, certificates of a CA made here. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcp } from 'node:net';
import { dirname } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../../image/images.ts';
import { type SmallImage, smallImage } from './servers.ts';

const folder = temporaryFolder();
let image: SmallImage;
afterAll(() => folder[Symbol.dispose]());

const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder.path, stdio: 'pipe' });

/** A certificate by our CA or by itself, of today or of 2001. */
function certificate(
  name: string,
  { days = ['20010101000000Z', '20380101000000Z'], ca = 'ca', host = 'localhost' } = {},
): void {
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${host}`,
  );
  writeFileSync(folder.at(`${name}.ext`), `subjectAltName=DNS:${host}\n`);
  for (const file of ['index.txt']) writeFileSync(folder.at(file), '');
  writeFileSync(folder.at('serial'), '01\n');
  writeFileSync(
    folder.at('ca.conf'),
    '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n',
  );
  openssl(
    'ca',
    '-batch',
    '-config',
    'ca.conf',
    '-cert',
    `${ca}.pem`,
    '-keyfile',
    `${ca}.key`,
    '-startdate',
    days[0] ?? '',
    '-enddate',
    days[1] ?? '',
    '-extfile',
    `${name}.ext`,
    '-in',
    `${name}.csr`,
    '-out',
    `${name}.pem`,
    '-notext',
  );
}

function authority(name: string): void {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
    '-subj',
    `/CN=${name}`,
    '-days',
    '7000',
  );
}

beforeAll(async () => {
  image = await smallImage();
  authority('ca');
  authority('stranger');
  certificate('sound');
  certificate('expired', { days: ['20010101000000Z', '20020101000000Z'] });
  certificate('future', { days: ['20370101000000Z', '20380101000000Z'] });
  certificate('other', { host: 'other.example' });
  certificate('expiredother', { host: 'other.example', days: ['20010101000000Z', '20020101000000Z'] });
  certificate('foreign', { ca: 'stranger' });
  certificate('expiredforeign', { ca: 'stranger', days: ['20010101000000Z', '20020101000000Z'] });
  expect(rootCertificates.length).toBeGreaterThan(50);
  vi.stubEnv('SSL_CERT_FILE', folder.at('ca.pem'));
});

/** Fetches all chunks; gives what was logged. */
async function fetchAll(url: string, environment: Record<string, string> = {}): Promise<string[]> {
  const { Origins } = await import('../../../../src/field/origin/origins.ts');
  const said: string[] = [];
  const origins = new Origins([url], { environment, log: (line) => said.push(line) });
  try {
    const chunks = Array.from({ length: image.index.count }, (_, i) => origins.fetch(image.index, i));
    expect(Buffer.concat(await Promise.all(chunks)).equals(image.bytes)).toBe(true);
  } finally {
    origins.close();
  }
  return said;
}

const keys = (name: string) => ({
  key: readFileSync(folder.at(`${name}.key`)),
  cert: readFileSync(folder.at(`${name}.pem`)),
});

async function overTls(name: string, run: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(keys(name), (request, response) => {
    const file = image.files.get(request.url ?? '');
    response.writeHead(file === undefined ? 404 : 200).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await run(`https://localhost:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('TLS with a certificate of a CA that is trusted', async () => {
  await overTls('sound', async (url) => expect(await fetchAll(url)).toEqual([]));
});

test.each(['expired', 'future'])('a certificate that is %s is taken, and that is said once', async (name) => {
  await overTls(name, async (url) => {
    const said = await fetchAll(url);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /origin localhost: its certificate is not of today, 20\d\d-\d\d-\d\d; what it gives is checked/,
    );
  });
});

test.each([
  ['other', /refused: is not for localhost/],
  ['expiredother', /refused: is not for localhost/],
  ['foreign', /refused: (UNABLE|SELF)/],
  ['expiredforeign', /refused: (UNABLE|SELF|is signed by nobody who is trusted)/],
])('a certificate that is wrong in another way (%s) is refused, old or not', async (name, why) => {
  await overTls(name, async (url) => expect(fetchAll(url)).rejects.toThrow(why));
});

async function overHttp2(
  run: (url: string, server: Http2SecureServer, sessions: () => number) => Promise<void>,
): Promise<void> {
  const server = createSecureServer(keys('sound'));
  let sessions = 0;
  server.on('session', () => {
    sessions++;
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const file = image.files.get(String(headers[':path']));
    stream.on('error', () => {}); // the client may hang up
    stream.respond({ ':status': file === undefined ? 404 : 200 });
    stream.end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await run(`https://localhost:${(server.address() as AddressInfo).port}/`, server, () => sessions);
  } finally {
    server.close();
  }
}

test('HTTP/2: all requests go over one connection', async () => {
  await overHttp2(async (url, _server, sessions) => {
    expect(await fetchAll(url)).toEqual([]);
    expect(sessions()).toBe(1);
  });
});

test('HTTP/2 through a cable that was pulled for a while: the next question opens another connection', async () => {
  await overHttp2(async (url, _server, sessions) => {
    const { Origins } = await import('../../../../src/field/origin/origins.ts');
    let isPulled = false;
    // What a connection has lost once does not come any more: as if the kernel waited long to send it again.
    const cable = createTcp((client) => {
      const server = connect(Number(new URL(url).port), '127.0.0.1');
      let isLost = isPulled;
      const pass = (from: typeof client, to: typeof client) =>
        from
          .on('error', () => {})
          .on('data', (bytes) => {
            isLost ||= isPulled;
            if (!isLost) to.write(bytes);
          });
      pass(client, server);
      pass(server, client);
    });
    await new Promise<void>((resolve) => cable.listen(0, '127.0.0.1', resolve));
    const origins = new Origins([`https://localhost:${(cable.address() as AddressInfo).port}/`], { environment: {} });
    try {
      await origins.fetch(image.index, 0);
      isPulled = true;
      await expect(origins.fetch(image.index, 1)).rejects.toThrow('no answer in 5 s');
      isPulled = false;
      await expect
        .poll(() => origins.fetch(image.index, 1).then(() => 'given', String), { timeout: 5000 })
        .toBe('given');
      expect(sessions()).toBe(2);
    } finally {
      origins.close();
      cable.close();
    }
  });
}, 20_000);

test('nginx over TLS and HTTP/2', async () => {
  for (const [path, bytes] of image.files) {
    const file = folder.at(`www${path}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  const port = 20_000 + (process.pid % 20_000);
  writeFileSync(
    folder.at('nginx.conf'),
    `daemon off; user root; pid ${folder.at('nginx.pid')}; error_log stderr; events {}
http { access_log off; server { listen 127.0.0.1:${port} ssl http2; root ${folder.at('www')};
ssl_certificate ${folder.at('sound.pem')}; ssl_certificate_key ${folder.at('sound.key')}; } }`,
  );
  const nginx = spawn('nginx', ['-c', folder.at('nginx.conf'), '-p', folder.path, '-e', 'stderr'], { stdio: 'ignore' });
  try {
    await expect.poll(() => canConnect(port), { timeout: 10_000 }).toBe(true);
    expect(await fetchAll(`https://localhost:${port}/`)).toEqual([]);
  } finally {
    nginx.kill();
    await new Promise((resolve) => nginx.once('exit', resolve));
  }
}, 30_000);

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

test('through a proxy that https_proxy names, by CONNECT, with its password; and not for what no_proxy excepts', async () => {
  const heads: string[] = [];
  const proxy = createTcp((client) => {
    client.on('error', () => {});
    client.once('data', (bytes) => {
      const head = bytes.toString('latin1');
      heads.push(head);
      const port = Number(/^CONNECT localhost:(\d+) HTTP/.exec(head)?.[1]);
      if (!head.includes(`Basic ${Buffer.from('p:q').toString('base64')}`)) {
        client.end('HTTP/1.1 407 Who are you\r\n\r\n');
        return;
      }
      const server = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        client.pipe(server).pipe(client);
      });
      server.on('error', () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const at = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    await overTls('sound', async (url) => {
      expect(await fetchAll(url, { https_proxy: `http://p:q@${at}` })).toEqual([]);
      expect(heads.length).toBeGreaterThan(0);
      await expect(fetchAll(url, { https_proxy: `http://p:wrong@${at}` })).rejects.toThrow(
        /the proxy answers HTTP 407/,
      );
      heads.length = 0;
      expect(await fetchAll(url, { https_proxy: `http://p:q@${at}`, no_proxy: 'example.org,localhost' })).toEqual([]);
      expect(heads).toEqual([]);
    });
  } finally {
    proxy.close();
  }
});
