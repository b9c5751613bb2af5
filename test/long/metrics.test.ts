/** Judged by Prometheus' own tool. Its package starts a server when it is installed, so it is only unpacked here. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatMetrics } from '../../src/runes/web/metrics.ts';
import { METRICS_STATUS } from '../unit/runes/web/metrics-status.ts';

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'viver-promtool-'));
  // apt's own user downloads into it.
  chmodSync(directory, 0o777);
  execFileSync('apt-get', ['download', '-q', 'prometheus'], { cwd: directory, stdio: 'ignore' });
  const [archive = ''] = globSync('prometheus_*.deb', { cwd: directory });
  execFileSync('dpkg-deb', ['--extract', archive, '.'], { cwd: directory });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function check(input: string): { status: number | null; output: string } {
  const promtool = join(directory, 'usr/bin/promtool');
  const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test('promtool finds nothing to say about the metrics', () => {
  expect(check(formatMetrics(METRICS_STATUS))).toEqual({ status: 0, output: '' });
});

test('and says so when there is something', () => {
  const broken = formatMetrics(METRICS_STATUS).replaceAll('viver_field_sent_bytes_total', 'viver_field_sent_bytes');
  expect(check(broken)).toEqual({ status: 3, output: expect.stringContaining('_total') });
});
