import { expect, test } from 'vitest';
import type { MachineStatus } from '../../../../src/runes/machine-status.ts';
import { formatMetrics } from '../../../../src/runes/web/metrics.ts';
import { StatusRoutes } from '../../../../src/runes/web/status-routes.ts';
import { METRICS_STATUS } from './metrics-status.ts';

const text = formatMetrics(METRICS_STATUS);

test('each metric has its help and type once, before its samples', () => {
  const seen = new Map<string, string>();
  let current = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (word === 'HELP') {
      expect(seen.has(name)).toBe(false);
      current = name;
      seen.set(name, rest);
    } else if (word === 'TYPE') expect([name, rest === 'counter']).toEqual([current, name.endsWith('_total')]);
    else expect(line).toMatch(new RegExp(`^${current}(\\{([a-z_]+="([^"\\\\]|\\\\.)*",?)+\\})? [0-9.e+-]+$`));
  }
  expect(seen.size).toBeGreaterThan(25);
});

test('what it says is what the status says', () => {
  expect(text).toContain('\nviver_field_held_chunks 70\n');
  expect(text).toContain('\nviver_field_received_bytes_total{source="origin"} 3\n');
  expect(text).toContain('\nviver_field_limit_bytes_per_second{direction="up"} 1048576\n');
  expect(text).not.toContain('direction="down"');
  expect(text).toContain('viver_field_peer_sent_bytes_total{peer="00000000000b",address="10.0.0.2:20070"} 22\n');
  expect(text).toContain('viver_field_peer_round_trip_seconds{peer="00000000000b",address="10.0.0.2:20070"} 0.0005\n');
  // Nothing went to or from that one.
  expect(text).not.toContain('00000000000c');
});

test('a machine gives them beside its status page', async () => {
  const routes = new StatusRoutes({
    address: '10.0.0.1',
    status: async () => METRICS_STATUS,
    field: async () => undefined,
    sentBytes: () => 0,
  });
  const answer = await routes.answer('/metrics', new URLSearchParams(), '10.0.0.9');
  expect(answer).toEqual({ kind: 'text', type: 'text/plain; version=0.0.4; charset=utf-8', text });
});

test('a name cannot break out of its label', () => {
  const evil: MachineStatus = { ...METRICS_STATUS, hostname: 'a"} 1\nviver_uptime_seconds 7\\' };
  expect(formatMetrics(evil)).toContain('hostname="a\\"} 1\\nviver_uptime_seconds 7\\\\",role=');
});

test('a machine without field, DHCP and report has its own metrics all the same', () => {
  const bare = formatMetrics({ ...METRICS_STATUS, field: null, dhcp: null, tftp: null, boot: null, image: null });
  expect(bare).toContain('viver_uptime_seconds 60\n');
  expect(bare).not.toMatch(/viver_(field|dhcp|tftp|boot_seconds)/);
});

test('of very many peers those with the most traffic have counters of their own', () => {
  const { field } = METRICS_STATUS;
  if (field === null) throw new Error('no field');
  const peers = Array.from({ length: 1000 }, (_, i) => {
    const traffic = { from: i, to: 0, rejected: 0 };
    return { id: `${i}`, address: `10.0.0.1:${i}`, held: 1, rttMs: null, traffic };
  });
  const many = formatMetrics({ ...METRICS_STATUS, field: { ...field, peers } });
  expect(many.split('\n').filter((line) => line.startsWith('viver_field_peer_received_bytes_total{'))).toHaveLength(
    100,
  );
  expect(many).toContain('peer="999"');
  expect(many).not.toContain('peer="899"');
});
