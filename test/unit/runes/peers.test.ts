import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { fetchStatuses } from '../../../src/runes/peers.ts';
import { HTTP_PORT } from '../../../src/runes/places.ts';
import { METRICS_STATUS } from './web/metrics-status.ts';

test('a machine is where it was asked, whatever it says, and each is asked once', async () => {
  const hosts = ['127.0.0.31', '127.0.0.32', '127.0.0.33'];
  const asked: string[] = [];
  const servers = hosts.map((host, i) =>
    createServer((request, response) => {
      asked.push((request.socket.address() as AddressInfo).address);
      // the last one says that it sends fewer files than none
      const load = { transfers: i === 2 ? -1e9 : 0, sentBytes: 0 };
      response.end(JSON.stringify({ ...METRICS_STATUS, address: '10.0.0.66', load }));
    }).listen(HTTP_PORT, host),
  );
  try {
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const peers = [...hosts, '127.0.0.31', '[fe80::1]'].map((host, i) => ({
      ...{ id: `${i}`, address: `${host}:${20_070 + i}`, held: 0, rttMs: null },
      traffic: { from: 0, to: 0, rejected: 0 },
    }));
    const statuses = await fetchStatuses({ peers }, 5000, 'brief');
    expect(statuses.map(({ address }) => address)).toEqual(['127.0.0.31', '127.0.0.32']);
    expect(asked.sort()).toEqual(hosts);
  } finally {
    for (const server of servers) server.close();
  }
});
