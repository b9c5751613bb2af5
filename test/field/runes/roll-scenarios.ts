import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineStatus } from '../../../src/runes/machine-status.ts';
import { type Station, stranger, switchOn, until } from './lab.ts';
import { codeOf, get, image, makeImage, PORT, play, work } from './scene.ts';

const MAIN = `${process.execPath} ${join(import.meta.dirname, '../../../src/init/main.ts')}`;
const next = makeImage('next', { 'boot/vmlinuz': 'kernel of next', 'boot/viverrd.zst': 'initrd of next' });
execFileSync(process.execPath, [join(import.meta.dirname, '../../../src/init/main.ts'), 'image', 'index', next]);
/** A machine that asks again so soon is in the same boot. */
const SAME_BOOT_MS = 16_000;

const macOf = (number: number) => `52:54:00:00:00:${number.toString(16).padStart(2, '0')}`;
/** Not held to the time of `run`: a command starts slowly on a busy machine. */
const viver = (station: Station, words: string) => station.runAside(`${MAIN} ${words} 2>&1`);
const statusOf = (from: Station, address: string) =>
  JSON.parse(from.run(`curl -sS -m 10 'http://${address}:${PORT}/status.json?brief'`).output) as MachineStatus;

/** What a machine with this MAC boots when nobody presses a key, and the words about releases that it gets. */
function bootOf(from: Station, server: string, mac: string): string {
  const script = get(from, `http://${server}:${PORT}/boot/boot.ipxe?mac=${mac.replaceAll(':', '-')}`);
  const label = /^prompt .* \|\| goto (\S+)$/m.exec(script)?.[1];
  const line = new RegExp(`^:${label}\\nkernel (\\S+) (.*?) \\|\\|`, 'm').exec(script)?.[2] ?? script;
  const words = line.split(' ').filter((word) => /^(viver\.(image|release)|panic|systemd\.crash_reboot)=/.test(word));
  return words.join(' ').replace(/@sha256:[0-9a-f]+/, '');
}

/** The words about images that GRUB gets, on a machine with Secure Boot on: it is asked for by TFTP until it is there. */
async function grubOf(from: Station, server: string, mac: string): Promise<string> {
  const ask = `cd ${work}; rm -f got; busybox tftp -g -r grub/mac/${mac} -l got ${server} && cat got`;
  const script = await until('the script for GRUB', () => {
    const { status, output } = from.run(ask);
    return status === 0 ? output : undefined;
  });
  const words = script.split(/\s+/).filter((word) => /^viver\.(image|release)=/.test(word));
  return words.join(' ').replace(/@sha256:[0-9a-f]+/, '');
}

async function client(): Promise<Station> {
  const station = await stranger('client');
  station.run('ip address add 10.86.200.1/16 dev eth0');
  return station;
}

await play({
  async 'try, out, failure, back'() {
    const one = await switchOn({ name: 'one', image, hasProgram: true });
    await one.said(/dhcp: full/);
    await one.said(/runes: ready/);
    const [server = ''] = one.addresses();
    const from = await client();
    const nothing = (await viver(one, 'roll status')).output.split('\n')[0];
    const before = bootOf(from, server, macOf(1));
    const tried = await viver(one, `roll try ${next} --on ${macOf(1)} --on ${macOf(9)}`);
    const byGrub = await grubOf(from, server, macOf(9));
    // A machine that only looks what it would get is not sent to it.
    const looked = get(from, `http://${server}:${PORT}/boot/boot.ipxe?mac=52-54-00-00-00-09&look`);
    const look = [looked.includes('viver.image=next@'), statusOf(from, server).rolls[0]?.booting];
    // One that asks once and never comes back: what it boots is looked at, and no more.
    const onTrial = [9, 2].map((number) => bootOf(from, server, macOf(number)));
    const asks = get(from, `http://${server}:${PORT}/boot/boot.ipxe`).includes('netX/mac:hexhyp');
    const kernel = get(from, `http://${server}:${PORT}/boot/next/vmlinuz`);
    // The machine that tries it: it runs the new image, and asked for its boot script at its address.
    const two = await switchOn({ name: 'two', image: next, imageName: 'next', cable: { mac: macOf(1) } });
    await two.said(/this machine is healthy/);
    bootOf(two, server, macOf(1));
    await until('it to be healthy', () => statusOf(from, server).rolls[0]?.healthy === 1, 60);
    const share = await viver(one, 'roll out --share 50%');
    const macs = Array.from({ length: 40 }, (_, i) => macOf(100 + i));
    const part = macs.filter((mac) => bootOf(from, server, mac).includes('viver.image=next')).length;
    // All that were asked for by this test alone: none of them is a machine.
    const out = await viver(one, 'roll out');
    const first = bootOf(from, server, macOf(3));
    await sleep(SAME_BOOT_MS);
    const second = bootOf(from, server, macOf(3));
    const other = bootOf(from, server, macOf(4));
    const proven = bootOf(from, server, macOf(1));
    const stopped = (await viver(one, 'roll status')).output;
    const page = get(from, `http://${server}:${PORT}/machines.json`);
    const back = await viver(one, 'roll back');
    return {
      ...{ nothing, before, onTrial, byGrub, look, asks, kernel, part, first, second, other, proven, stopped },
      troubles: (JSON.parse(page.split('\n')[0] ?? '') as { troubles: string[] }).troubles,
      said: [tried, share, out, back].map(({ status, output }) => ({ status, output })),
      after: [1, 3].map((number) => bootOf(from, server, macOf(number))),
    };
  },

  async 'signed on any machine'() {
    execFileSync('sh', ['-c', 'minisign -G -W -p k.pub -s k.sec'], { cwd: work, stdio: 'pipe' });
    const signingKeys = { 'k.pub': readFileSync(join(work, 'k.pub'), 'utf8') };
    const one = await switchOn({ name: 'one', image, signingKeys });
    await one.said(/dhcp: full/);
    const two = await switchOn({ name: 'two', image, signingKeys, hasProgram: true });
    await two.said(/runes: ready/);
    const [server = ''] = one.addresses();
    const from = await client();
    await until('them to know each other', () => statusOfField(from, server) === 1, 60);
    const unsigned = await viver(two, `roll try ${next} --on ${macOf(1)}`);
    const signed = await viver(two, `roll try ${next} --on ${macOf(1)} --secret ${work}/k.sec`);
    await one.said(/release small 1/, 60);
    await until('the boot server to find the image', () => bootOf(from, server, macOf(1)).includes('image=next'), 60);
    const boots = [1, 2].map((number) => bootOf(from, server, macOf(number)));
    const posted = codeOf(from, `http://${server}:${PORT}/releases.json`, '-X POST -d x');
    return { unsigned, signed, boots, posted, shown: (await viver(one, 'roll status --json')).output };
  },

  async 'without keys on the boot server only'() {
    const one = await switchOn({ name: 'one', image });
    await one.said(/dhcp: full/);
    const two = await switchOn({ name: 'two', image, hasProgram: true });
    await two.said(/runes: ready/);
    const [server = ''] = one.addresses();
    const from = await client();
    await until('them to know each other', () => statusOfField(from, server) === 1, 60);
    const there = await viver(two, `roll try ${next} --on ${macOf(1)}`);
    return {
      there: { ...there, output: there.output.replace(server, 'SERVER') },
      now: (await viver(two, `roll try ${next} --on ${macOf(1)} --now`)).output,
      socket: one.run('stat -c %a /run/viver/roll.sock').output,
      kept: statusOf(from, server).rolls,
    };
  },
});

function statusOfField(from: Station, address: string): number {
  const { field } = JSON.parse(
    from.run(`curl -sS -m 10 http://${address}:${PORT}/status.json`).output,
  ) as MachineStatus;
  return field?.peers.length ?? 0;
}
