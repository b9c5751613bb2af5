/** What the system has no room for costs that one connection or datagram, and no node. */
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { askStatus, serveControl } from '../../../../src/field/control.ts';
import { DatagramPort } from '../../../../src/field/edge/datagram-port.ts';
import { openSockets } from '../../../../src/field/edge/sockets.ts';
import { Switchboard } from '../../../../src/field/edge/switchboard.ts';

test('a connection that the system cannot take, and a datagram that it cannot give, end nothing', async () => {
  const listen = { host: '127.0.0.1', port: 0 };
  const { server, udp } = await openSockets({ listen, multicast: false, log: () => {} });
  const { udp: group, server: other } = await openSockets({ listen, multicast: false, log: () => {} });
  const none = { isRefused: () => false, datagram: () => {}, sought: () => {}, rejected: () => {} };
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  new Switchboard(server, { listen, isRefused: () => false, feed: () => {}, log } as never);
  const port = new DatagramPort({ udp, group }, listen, undefined, none);
  for (const socket of [server, udp, group]) expect(socket.emit('error', new Error('ENOMEM'))).toBe(true);
  server.emit('error', new Error('ENOMEM'));
  expect(lines).toEqual(['connections of others could not be taken: ENOMEM; they try again']);
  port.close();
  for (const each of [server, other]) {
    each.close();
    await once(each, 'close');
  }
});

test('a control socket goes on after questions that could not be taken', async () => {
  const path = join(tmpdir(), `viver-control-${process.pid}`);
  const server = await serveControl(path, () => ({ some: 'thing' }));
  for (let i = 0; i < 3; i++) server.emit('error', new Error('ENOMEM'));
  expect(await askStatus(path)).toEqual({ some: 'thing' });
  server.close();
});
