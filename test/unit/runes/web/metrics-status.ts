import type { MachineStatus } from '../../../../src/runes/machine-status.ts';

/** A status in which every part is there. */
export const METRICS_STATUS: MachineStatus = {
  version: 1,
  viver: '0.1.0',
  hostname: 'one',
  role: 'boot-server',
  address: '10.0.0.1',
  mac: '52:54:00:00:00:01',
  booted: 'medium',
  image: { name: 'debian', id: 'abcdef' },
  canServe: true,
  dhcp: { mode: 'full', why: 'nobody else gives addresses' },
  tftp: { sent: 4, refused: 1 },
  load: { transfers: 2, sentBytes: 1e9 },
  refused: { escape: 1, unknown: 2, method: 0, broken: 3 },
  plugins: [
    { name: 'dhcp', state: 'running', why: '' },
    { name: 'x11', state: 'failed', why: 'no room' },
  ],
  field: {
    image: { id: 'abcdef', name: 'debian', size: 5e8, chunks: 100 },
    node: { id: '00000000000a', address: '10.0.0.1:20070', held: 70 },
    peers: [
      {
        id: '00000000000b',
        address: '10.0.0.2:20070',
        held: 100,
        rttMs: 0.5,
        traffic: { from: 11, to: 22, rejected: 0 },
      },
      { id: '00000000000c', address: '10.0.0.3:20070', held: 1, rttMs: null, traffic: { from: 0, to: 0, rejected: 0 } },
    ],
    redundancy: { min: 1, mean: 1.71 },
    traffic: { fromPeers: 11, fromMedium: 5, fromOrigin: 3, toPeers: 22, rejected: 7 },
    origins: [],
    shutOut: [{ id: '00000000000d', reason: 'gave a false chunk' }],
    limits: { up: 1048576, down: null },
    refused: ['192.0.2.0/24'],
  },
  strip: { held: '9', copies: [1] },
  uptimeSeconds: 60,
  boot: { medium: 'cd', seconds: 9.86, stages: [] },
  rates: null,
  loading: [],
};
