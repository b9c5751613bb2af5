import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Origins, type OriginsOptions } from '../../../../src/field/origin/origins.ts';
import { chunkPath } from '../../../../src/image/chunk-store.ts';
import { give, type Handler, type SmallImage, serve, smallImage } from './servers.ts';

const image = await smallImage();
const { index } = image;

/** Origins that are closed at the end, and what they log. */
function open(urls: readonly string[], options: OriginsOptions = {}) {
  const said: string[] = [];
  const origins = new Origins(urls, { environment: {}, log: (line) => said.push(line), ...options });
  return { origins, said, [Symbol.dispose]: () => origins.close() };
}

async function all(origins: Origins, of: SmallImage = image): Promise<void> {
  const chunks = await Promise.all(Array.from({ length: of.index.count }, (_, i) => origins.fetch(of.index, i)));
  expect(Buffer.concat(chunks).equals(of.bytes)).toBe(true);
}

test('chunks come from a plain web server, several at a time, over connections that are kept', async () => {
  await using server = await serve(image);
  using opened = open([server.url]);
  await all(opened.origins);
  await all(opened.origins);
  expect(server.paths).toHaveLength(2 * index.count);
  expect(server.connections()).toBeLessThanOrEqual(index.count);
  expect(opened.origins.status()).toMatchObject([{ name: server.url, state: 'asked', failures: 0, fault: null }]);
  expect(opened.said).toEqual([]);
});

test('an origin by IPv6', async () => {
  await using server = await serve(image, give, '::1');
  using opened = open([server.url]);
  await all(opened.origins);
});

test('the index comes from an origin too, and must be the one that was asked for', async () => {
  await using server = await serve(image);
  using opened = open([server.url]);
  expect((await opened.origins.index(index.id)).id).toBe(index.id);
  await expect(opened.origins.index('0'.repeat(64))).rejects.toThrow('HTTP 404');
  await using liar = await serve(image, (request, response) =>
    give(request, response, image.files.get(`/${index.id}.caibx`)),
  );
  using lied = open([liar.url]);
  await expect(lied.origins.index('0'.repeat(64))).rejects.toThrow(/wanted 0000/);
});

test.each([
  ['zstd', (bytes: Uint8Array) => execFileSync('zstd', ['-qc'], { input: bytes })],
  ['gzip', (bytes: Uint8Array) => gzipSync(bytes)],
  ['xz', (bytes: Uint8Array) => execFileSync('xz', ['-c'], { input: bytes })],
])('chunk files packed by %s', async (_name, pack) => {
  const files = new Map(image.files);
  for (let i = 0; i < index.count; i++) files.set(`/${chunkPath(index.digestHex(i))}`, pack(image.chunk(i)));
  await using server = await serve({ ...image, files });
  using opened = open([server.url]);
  await all(opened.origins);
});

test('chunk files that are not packed, and have no suffix: found once, asked for at once from then on', async () => {
  const files = new Map(
    Array.from({ length: index.count }, (_, i) => [`/${chunkPath(index.digestHex(i), '')}`, image.chunk(i)]),
  );
  await using server = await serve({ ...image, files });
  using opened = open([server.url]);
  await opened.origins.fetch(index, 0);
  const before = server.paths.length;
  for (let i = 1; i < index.count; i++) await opened.origins.fetch(index, i);
  expect(server.paths.length - before).toBe(index.count - 1);
});

test('an image that lies on a web server as it is: its chunks are ranges of it', async () => {
  const ranged: Handler = (request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    response.writeHead(206).end(image.bytes.subarray(Number(from), Number(to) + 1));
  };
  await using server = await serve(image, ranged);
  using opened = open([`${server.url}debian.sqfs`]);
  await all(opened.origins);
  expect(new Set(server.paths)).toEqual(new Set(['/debian.sqfs']));
  await using simple = await serve(image, (_request, response) => void response.writeHead(200).end(image.bytes));
  using refused = open([`${simple.url}debian.sqfs`]);
  await expect(refused.origins.fetch(index, 0)).rejects.toThrow(/does not know ranges|more than/);
});

test('one chunk that an origin lacks says nothing about the others, nor about other origins', async () => {
  const without = (odd: number) => {
    const files = new Map(image.files);
    for (let i = odd; i < index.count; i += 2) files.delete(`/${chunkPath(index.digestHex(i))}`);
    return { ...image, files };
  };
  await using even = await serve(without(1));
  await using odd = await serve(without(0));
  using opened = open([even.url, odd.url]);
  await all(opened.origins);
  expect(opened.origins.status()).toMatchObject([{ failures: 0 }, { failures: 0 }]);
  expect(opened.said).toEqual([]);
});

test('a user and a password, or a token, are sent to their origin and told to nobody else', async () => {
  const seen: (string | undefined)[] = [];
  const guarded = (wanted: string): Handler => {
    return (request, response, file) => {
      seen.push(request.headers.authorization);
      if (request.headers.authorization !== wanted) response.writeHead(401).end();
      else give(request, response, file);
    };
  };
  const basic = `Basic ${Buffer.from('me:my secret').toString('base64')}`;
  await using byUser = await serve(image, guarded(basic));
  using user = open([byUser.url.replace('//', '//me:my%20secret@')]);
  await all(user.origins);
  await using byToken = await serve(image, guarded('Bearer T0ken'));
  using token = open([byToken.url.replace('//', '//:T0ken@')]);
  await all(token.origins);
  expect(JSON.stringify([user.origins.status(), token.origins.status()])).not.toMatch(/secret|T0ken|me:/);
  using wrong = open([byToken.url.replace('//', '//:hidden@')]);
  await expect(wrong.origins.fetch(index, 0)).rejects.toThrow(/HTTP 401: wants another user, password or token/);
  expect(JSON.stringify([wrong.said, wrong.origins.status()])).not.toContain('hidden');

  // Sent on to another server, which hears no secret.
  seen.length = 0;
  await using other = await serve(image, (request, response, file) => {
    seen.push(request.headers.authorization);
    give(request, response, file);
  });
  await using gate = await serve(image, (request, response) => {
    response.writeHead(302, { location: new URL(request.url ?? '', other.url).href }).end();
  });
  using sent = open([gate.url.replace('//', '//me:my%20secret@')]);
  await all(sent.origins);
  expect(new Set(seen)).toEqual(new Set([undefined]));
});

test('a word that is no URL is refused without its secret', () => {
  for (const word of [
    'ftp://me:secret@host/',
    'http://me:secret@ho st/',
    'http://me:secret@host/?token=secret',
    '://:secret@',
  ]) {
    expect(() => new Origins([word])).toThrow(/no http or https URL|has no \?/);
    expect(() => new Origins([word])).not.toThrow(/secret/);
  }
});

test('redirects are followed so far and no farther, and loops are named', async () => {
  const hop: Handler = (request, response, file) => {
    const [, left, path] = /^\/(\d)(\/.*)$/.exec(request.url ?? '') ?? [];
    if (left === undefined) return give(request, response, file);
    const next = Number(left) === 0 ? path : `/${Number(left) - 1}${path}`;
    response.writeHead(307, { location: next }).end();
  };
  await using server = await serve(image, hop);
  using near = open([`${server.url}2/`]);
  await all(near.origins);
  using far = open([`${server.url}9/`]);
  await expect(far.origins.fetch(index, 0)).rejects.toThrow('redirects more than 5 times');
  await using round = await serve(image, (request, response) => {
    response
      .writeHead(302, {
        location: request.url?.endsWith('?a') === true ? request.url.slice(0, -2) : `${request.url}?a`,
      })
      .end();
  });
  using looping = open([round.url]);
  await expect(looping.origins.fetch(index, 0)).rejects.toThrow('redirects in a loop');
  expect(looping.said.join()).toContain('redirects in a loop');
  await using nowhere = await serve(
    image,
    (_request, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  );
  using lost = open([nowhere.url]);
  await expect(lost.origins.fetch(index, 0)).rejects.toThrow('redirects to nowhere');
});

/** What an origin may do, and what is said of it. */
const HOSTILE: readonly (readonly [string, Handler, RegExp])[] = [
  [
    'says it is truncated',
    (_q, response, file) => void response.writeHead(200).end(file?.subarray(0, 500)),
    /torn|unpack/,
  ],
  [
    'hangs up in the middle',
    (_q, response, file) => {
      response.writeHead(200, { 'content-length': 20_000 }).write(file?.subarray(0, 5000));
      setTimeout(() => response.destroy(), 10);
    },
    /aborted|closed the connection/,
  ],
  [
    'gives another chunk',
    (_q, response) => void response.writeHead(200).end(image.files.get(`/${chunkPath(index.digestHex(7))}`)),
    /chunk 0 is not/,
  ],
  ['gives garbage', (_q, response) => void response.writeHead(200).end('<html>welcome</html>'), /no zstd, gzip or xz/],
  [
    'says it is endless',
    (_q, response) => void response.writeHead(200, { 'content-length': 1e15 }).write('x'),
    /more than the \d+ bytes/,
  ],
  [
    'sends chunks without end',
    (_q, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(65_536), () => setImmediate(more));
      };
      response.writeHead(200);
      more();
    },
    /more than the \d+ bytes/,
  ],
  [
    'unpacks to much',
    (_q, response) => void response.writeHead(200).end(gzipSync(Buffer.alloc(10 << 20))),
    /unpack to more/,
  ],
  ['answers 500', (_q, response) => void response.writeHead(500).end(), /HTTP 500/],
  [
    'answers 503 with a page that does not end',
    (_q, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(65_536), () => setImmediate(more));
      };
      response.writeHead(503);
      more();
    },
    /more than|HTTP 503/,
  ],
  ['closes each connection', (request) => void request.socket.destroy(), /hang up|ECONNRESET|closed/],
  ['speaks another protocol', (request) => void request.socket.end('220 smtp ready\r\n\r\n'), /Parse Error|HTTP/],
  [
    'wraps it in what was not asked for',
    (_q, response, file) => void response.writeHead(200, { 'content-encoding': 'br' }).end(file),
    /Content-Encoding/,
  ],
];

test.each(HOSTILE)('an origin that %s is named, and others give', async (_what, handler, why) => {
  await using bad = await serve(image, (request, response, file) => handler(request, response, file));
  await using good = await serve(image);
  using alone = open([bad.url]);
  await expect(alone.origins.fetch(index, 0)).rejects.toThrow(why);
  expect(alone.said.join()).toMatch(new RegExp(`origin ${bad.url}.*`));
  using opened = open([bad.url, good.url]);
  await all(opened.origins);
  expect(opened.origins.status()[1]?.failures).toBe(0);
});

test('an origin that sends a byte a second, or nothing: another one gives within three seconds', async () => {
  await using slow = await serve(image, (_request, response, file) => {
    response.writeHead(200, { 'content-length': file?.length ?? 1 });
    const timer = setInterval(() => response.write('x'), 1000);
    response.on('close', () => clearInterval(timer));
  });
  await using silent = await serve(image, () => {});
  await using good = await serve(image);
  for (const bad of [slow, silent]) {
    using opened = open([bad.url, good.url]);
    const begun = performance.now();
    await all(opened.origins);
    expect(performance.now() - begun).toBeLessThan(3000);
  }
  using alone = open([slow.url]);
  await expect(alone.origins.fetch(index, 0)).rejects.toThrow(/bytes in 5 s/);
}, 20_000);

test('an origin that is silent from the start is known by it, though another one always gives sooner', async () => {
  await using silent = await serve(image, () => {});
  await using good = await serve(image);
  using opened = open([silent.url, good.url]);
  for (let round = 0; round < 3; round++) {
    for (let chunk = 0; chunk < index.count; chunk++) await opened.origins.fetch(index, chunk);
  }
  // Each time costs a read 0.6 s.
  expect(silent.paths.length).toBeLessThan(8);
  expect(opened.said[0]).toMatch(/answers late, or not at all; not asked for 0\.5 s/);
}, 20_000);

test('one of two origins dies, and comes back: nothing fails, and it is asked again', async () => {
  let isDead = false;
  await using first = await serve(image, (request, response, file) => {
    if (isDead) request.socket.destroy();
    else give(request, response, file);
  });
  // Slower, so that the first is the one that is asked.
  await using second = await serve(image, (request, response, file) => {
    setTimeout(() => give(request, response, file), 100);
  });
  using opened = open([first.url, second.url]);
  await all(opened.origins);
  isDead = true;
  for (let round = 0; round < 3; round++) await all(opened.origins);
  isDead = false;
  const before = first.paths.length;
  await expect
    .poll(
      async () => {
        await all(opened.origins);
        return opened.said.some((line) => line.includes('gives again'));
      },
      { timeout: 10_000 },
    )
    .toBe(true);
  expect(first.paths.length).toBeGreaterThan(before);
});

test('origins are asked by how fast they are', async () => {
  const delayed =
    (ms: number): Handler =>
    (request, response, file) =>
      void setTimeout(() => give(request, response, file), ms);
  await using fast = await serve(image, delayed(2));
  await using slow = await serve(image, delayed(60));
  using opened = open([slow.url, fast.url]);
  for (let round = 0; round < 20; round++) await all(opened.origins);
  const [ofSlow = 0, ofFast = 0] = [slow.paths.length, fast.paths.length];
  expect(ofFast).toBeGreaterThan(3 * ofSlow);
  expect(ofSlow).toBeGreaterThan(0);
});

test('the servers behind a service name: SRV, its ports and priorities, and what has changed since', async () => {
  await using first = await serve(image);
  await using second = await serve(image);
  await using reserve = await serve(image);
  let ports = [first.port];
  const names = () => ({
    resolve4: async () => [{ address: '127.0.0.1', ttl: 1 }],
    resolve6: async () => [],
    resolveSrv: async (name: string) => {
      expect(name).toBe('_http._tcp.example.org');
      return [
        { name: 'spare.example.org', port: reserve.port, priority: 20 },
        ...ports.map((port) => ({ name: 'origin.example.org', port, priority: 10 })),
      ];
    },
    lookup: async () => [],
  });
  using opened = open(['http://_http._tcp.example.org/'], { names });
  await all(opened.origins);
  expect(reserve.paths).toEqual([]);
  ports = [second.port];
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await opened.origins.fetch(index, 0); // has the old answer asked for anew
  await expect
    .poll(async () => {
      await all(opened.origins);
      return second.paths.length > 0;
    })
    .toBe(true);
  const before = first.paths.length;
  await all(opened.origins);
  expect(first.paths.length).toBe(before);
});
