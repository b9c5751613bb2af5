import { describe, expect, test } from 'vitest';
import { tellTimeServers } from '../../../../src/runes/plugins/time.ts';

/** A root with these programs, and what is written there. */
function rootWith(...programs: string[]) {
  const written: Record<string, string> = {};
  const root = {
    has: (path: string) => programs.includes(path),
    write: (path: string, text: string | Uint8Array) => {
      written[path] = String(text);
    },
  };
  return { root, written };
}

describe("the network's time servers", () => {
  test('are told to the time client of the image', () => {
    const timesyncd = rootWith('/usr/lib/systemd/systemd-timesyncd');
    expect(tellTimeServers(timesyncd.root, ['10.1.2.1', '10.1.2.2'])).toBe('systemd-timesyncd');
    expect(timesyncd.written).toEqual({
      '/run/systemd/timesyncd.conf.d/viver.conf':
        '# VIVER: the time servers of this network\n[Time]\nNTP=10.1.2.1 10.1.2.2\n',
    });
    const chrony = rootWith('/usr/lib/systemd/systemd-timesyncd', '/usr/sbin/chronyd');
    expect(tellTimeServers(chrony.root, ['10.1.2.1'])).toBe('chrony');
    expect(chrony.written).toEqual({ '/run/chrony-dhcp/viver.sources': 'server 10.1.2.1 iburst\n' });
  });

  test('nothing is written where there is no client or no server', () => {
    const bare = rootWith();
    expect(tellTimeServers(bare.root, ['10.1.2.1'])).toBeUndefined();
    const without = rootWith('/usr/sbin/chronyd');
    expect(tellTimeServers(without.root, [])).toBeUndefined();
    expect([bare.written, without.written]).toEqual([{}, {}]);
  });
});
