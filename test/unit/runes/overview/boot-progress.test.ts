import { array, assert, constantFrom, double, nat, property, record, string } from 'fast-check';
import { expect, test } from 'vitest';
import {
  BOOT_STEPS,
  BootProgress,
  describeStep,
  dhcpNews,
  fileNews,
  type LoadingMachine,
  newestOf,
  tftpNews,
} from '../../../../src/runes/overview/boot-progress.ts';

const address = '10.86.0.7';
const mac = '52:54:00:00:00:07';

test('a machine is followed from its address to its kernel', () => {
  const progress = new BootProgress();
  const steps: string[] = [];
  const hear = (news: ReturnType<typeof dhcpNews>, nowMs: number) => {
    if (news !== undefined) progress.hear(news, nowMs);
    steps.push(progress.list(nowMs).map(describeStep).join());
  };
  hear(dhcpNews(`DHCPACK(eth0) ${address} ${mac} pc`), 0);
  hear(tftpNews(`sent /run/initramfs/usr/lib/ipxe/undionly.kpxe to ${address}`), 1000);
  hear(dhcpNews(`DHCPACK(eth0) ${address} ${mac}`), 3000); // iPXE's own question
  hear({ address, step: 'script' }, 4000);
  hear(fileNews(address, 'vmlinuz', 0.5), 5000);
  hear(fileNews(address, 'first-stage.zst', 0.5), 7000);
  hear(fileNews(address, 'viverrd.zst', 0.25), 8000);
  hear(fileNews(address, 'viverrd.zst', 1), 12_000);
  expect(steps).toEqual([
    'has an address, loads the boot loader',
    'has the boot loader',
    'has the boot loader',
    'has the boot menu',
    'loads the kernel, 50 %',
    'loads the initrd, 0 %',
    'loads the initrd, 25 %',
    'has everything, its kernel starts',
  ]);
  expect(progress.list(20_000)).toEqual([
    { address, mac, step: 'started', share: null, silentSeconds: 8, seconds: 20 },
  ]);
});

test('one that is switched on again begins anew, one that chose its disk and one long silent are forgotten', () => {
  const progress = new BootProgress();
  progress.hear({ address, mac, step: 'initrd', share: 0.5 }, 0);
  progress.hear({ address, mac, step: 'address' }, 100_000);
  expect(progress.list(100_000)).toMatchObject([{ step: 'address', seconds: 0 }]);
  progress.forget(address);
  expect(progress.list(100_000)).toEqual([]);
  progress.hear({ address, step: 'kernel' }, 100_000);
  expect(progress.list(800_000)).toEqual([]);
});

test('lines of dnsmasq that are about something else are no news, whatever they hold', () => {
  expect(dhcpNews(`PXE(eth0) ${mac} proxy`)).toBeUndefined();
  expect(dhcpNews(`DHCPACK(eth0) 999.1.1.1 ${mac}`)).toBeUndefined();
  expect(tftpNews('file /etc/passwd not found for 10.86.0.7')).toBeUndefined();
  expect(fileNews(address, 'memtest.bin', 0)).toBeUndefined();
  assert(property(string(), (line) => dhcpNews(line) === undefined && tftpNews(line) === undefined));
});

test('with Secure Boot on the kernel comes by TFTP, and the initrd after it by the first stage', () => {
  const step = (file: string) => tftpNews(`sent /run/viver/tftp/${file} to ${address}`)?.step;
  expect(
    ['shimx64.efi', 'grubx64.efi', 'grub/grub.cfg', `grub/mac/${mac}`, 'vmlinuz', 'first-stage.zst'].map(step),
  ).toEqual(['loader', 'loader', 'script', 'script', 'kernel', 'initrd']);
});

test('of two servers the one that heard last is believed, and either knows the MAC', () => {
  const old: LoadingMachine = { address, mac, step: 'initrd', share: 0.9, silentSeconds: 200, seconds: 230 };
  const now: LoadingMachine = { address, mac: null, step: 'kernel', share: 0.1, silentSeconds: 1, seconds: 5 };
  for (const lists of [
    [[old], [now]],
    [[now], [old]],
  ])
    expect(newestOf(lists)).toEqual([{ ...now, mac }]);
  const further = { ...now, step: 'initrd' as const };
  for (const lists of [
    [[further], [now]],
    [[now], [further]],
  ])
    expect(newestOf(lists)).toMatchObject([{ step: 'initrd' }]);
});

test('a thousand addresses are kept, the newest, whoever asks under whatever address', () => {
  const news = record({
    address: string(),
    step: constantFrom(...BOOT_STEPS),
    share: double({ min: 0, max: 1, noNaN: true }),
  });
  assert(
    property(array(record({ news, ms: nat(100_000) })), (heard) => {
      const progress = new BootProgress();
      let nowMs = 0;
      for (const { news: one, ms } of heard) {
        nowMs += ms;
        progress.hear(one, nowMs);
      }
      for (const { seconds, silentSeconds } of progress.list(nowMs))
        expect(seconds).toBeGreaterThanOrEqual(silentSeconds);
    }),
  );
  const progress = new BootProgress();
  for (let i = 0; i < 3000; i++) progress.hear({ address: `a${i}`, step: 'kernel' }, i);
  expect(progress.list(3000)).toHaveLength(1024);
  expect(progress.list(3000).at(-1)?.address).toBe('a2999');
});
