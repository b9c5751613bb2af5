import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Endpoint } from './names.ts';
import type { HttpProxy } from './proxy.ts';
import { judgeCertificate, trustContext } from './trust.ts';

/** Who does not answer for so long is not there. */
const CONNECT_MS = 3000;
/** The head of a proxy's answer. */
const HEAD_LIMIT = 8192;

export interface Way {
  readonly endpoint: Endpoint;
  /** It stands at `endpoint.address`, and is asked for the server. */
  readonly proxy: HttpProxy | undefined;
}

/** A TCP connection to the server, or to the proxy. @throws Error when there is none in time */
export function openTcp({ endpoint, proxy }: Way): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connectTcp({ host: endpoint.address, port: proxy?.port ?? endpoint.port, noDelay: true });
  socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no answer')));
  // Stays: between one listener and the next an error would end the process. Whoever uses the socket hears of it too.
  socket.on('error', reject);
  socket.once('connect', () => {
    socket.setTimeout(0);
    resolve(socket);
  });
  return promise;
}

/**
 * TLS with the server, through the proxy when there is one. `onDate` hears of a certificate whose dates are wrong.
 * @throws Error when it is not who it should be
 */
export async function openTls(way: Way, protocols: readonly string[], onDate: () => void): Promise<TLSSocket> {
  const { host } = way.endpoint;
  const tcp = await openTcp(way);
  if (way.proxy !== undefined) await askProxy(tcp, way.endpoint, way.proxy);
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connectTls({
    socket: tcp,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    host,
    secureContext: trustContext(),
    ALPNProtocols: [...protocols],
    // Judged below: a wrong date is let pass.
    rejectUnauthorized: false,
  });
  const timer = setTimeout(() => socket.destroy(new Error('no answer to TLS')), CONNECT_MS);
  socket.on('error', reject);
  socket.once('close', () => reject(new Error('closed the connection')));
  socket.once('secureConnect', () => {
    try {
      const verdict = judgeCertificate(socket, host);
      if (verdict === 'date') onDate();
      if (verdict === 'sound' || verdict === 'date') resolve(socket);
      else socket.destroy(new Error(`its certificate is refused: ${verdict}`));
    } catch (cause) {
      // A certificate is a stranger's word, too.
      socket.destroy(new Error('its certificate is refused: it cannot be read', { cause }));
    }
  });
  return await promise.finally(() => clearTimeout(timer));
}

/** CONNECT (RFC 9110, 9.3.6). */
async function askProxy(socket: Socket, { host, port }: Endpoint, { authorization }: HttpProxy): Promise<void> {
  const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const rows = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`];
  if (authorization !== undefined) rows.push(`Proxy-Authorization: ${authorization}`);
  socket.write(`${rows.join('\r\n')}\r\n\r\n`);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let head = Buffer.alloc(0);
  const onData = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end >= 0) {
      socket.pause();
      // TLS's first word is the client's: nothing can come behind the head.
      resolve(head.toString('latin1', 0, end));
    } else if (head.length > HEAD_LIMIT) reject(new Error('the proxy answers with no HTTP'));
  };
  const onClose = (): void => reject(new Error('the proxy closed the connection'));
  const timer = setTimeout(() => reject(new Error('the proxy does not answer')), CONNECT_MS);
  socket.on('data', onData).once('close', onClose).once('error', reject);
  try {
    const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(await promise) ?? [];
    if (status?.startsWith('2') !== true)
      throw new Error(`the proxy answers ${status === undefined ? 'with no HTTP' : `HTTP ${status}`}`);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off('data', onData).off('close', onClose).off('error', reject);
  }
}
