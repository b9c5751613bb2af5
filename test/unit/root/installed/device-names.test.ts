import { expect, test } from 'vitest';
import { linkFileFor, netRulesFor } from '../../../../src/root/installed/device-names.ts';

test('rules that name network interfaces become comments, whole, and others stay', () => {
  const kept = [
    '# NAME="eth0"',
    'SUBSYSTEM=="net", ACTION=="add", ENV{ID_NET_NAME}=="x", RUN+="/bin/true"',
    'KERNEL=="sr0", SYMLINK+="cdrom"',
    'SUBSYSTEM=="usb", ENV{NAME}="x"',
    'SUBSYSTEM=="net", NAME=="eth0", RUN+="x"',
  ];
  const rules = [
    'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="00:11:22:33:44:55", KERNEL=="eth*", NAME="eth0"',
    'SUBSYSTEM=="net", KERNELS=="0000:02:00.0", \\\n  NAME:="lan0"',
    'KERNEL=="eth*", ATTR{address}=="00:11:22:33:44:55", NAME="wan"',
  ];
  const before = `${[...kept, ...rules].join('\n')}\n`;
  const { text, dropped } = netRulesFor(before);
  expect(dropped).toBe(3);
  expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('# VIVER'))).toEqual(kept);
  expect(netRulesFor(kept.join('\n'))).toEqual({ text: kept.join('\n'), dropped: 0 });
  expect(netRulesFor(text).dropped).toBe(0);
});

test('a link file that names an interface of one machine is put aside; a rule for any machine is not', () => {
  const named = '[Match]\nMACAddress=00:11:22:33:44:55\n\n[Link]\nName=lan0\n';
  const text = linkFileFor(named) ?? '';
  expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
  expect(linkFileFor('[Match]\nPath=pci-0000:02:00.0\n[Link]\nName=lan0\n')).toBeDefined();
  expect(linkFileFor('[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel\n')).toBeUndefined();
  expect(linkFileFor('[Match]\nMACAddress=00:11:22:33:44:55\n[Link]\nWakeOnLan=magic\n')).toBeUndefined();
  expect(linkFileFor(text)).toBeUndefined();
});
