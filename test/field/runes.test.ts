import { describe, expect, test } from 'vitest';
import { play } from './runes/play.ts';

describe('a machine booted from a medium', () => {
  test('serves an empty network: an address, the boot loader for its firmware, the boot script, kernel and initrd', async () => {
    const found = (await play('an empty network')) as Record<string, unknown> & { address: string };
    expect(found).toEqual({
      address: expect.stringMatching(/^10\.86\.[0-3]\.\d+$/),
      bios: ['undionly.kpxe', true],
      efi: ['snponly.efi'],
      ipxe: `http://${found.address}:20080/boot/boot.ipxe`,
      inRange: expect.stringMatching(/^10\.86\.\d+\.\d+$/),
      mark: Buffer.from('viver').toString('hex'),
      tftp: true,
      tftpEscapes: [false, false, false],
      script: '#!ipxe',
      kernel: '200',
      httpEscapes: ['400', '400', '400', '400', '404', '404'],
      method: '405',
      refused: { escape: 4, unknown: 2, method: 1, broken: 0, limited: 0, locked: 0 },
      ready: true,
    });
  });

  test("counts and refuses a stranger's packets, goes on serving, and serves on the boot interface only", async () => {
    const found = (await play("a stranger's packets")) as { refused: { escape: number; broken: number } };
    expect(found).toMatchObject({
      sent: Array.from({ length: 4 }, () => 'HTTP/1.1 400 Bad Request'),
      lease: 'undionly.kpxe',
      kernel: '200',
      elsewhere: 7, // curl: could not connect
    });
    expect(found.refused.escape).toBeGreaterThanOrEqual(1);
    expect(found.refused.broken).toBeGreaterThanOrEqual(3);
  });

  test('leaves the leases of another DHCP server alone and adds the way to the boot loader', async () => {
    const found = (await play('beside another server')) as { address: string[]; lease: string[] };
    expect(found).toEqual({
      address: [expect.stringMatching(/^10\.71\.0\./)],
      lease: [expect.stringMatching(/^10\.71\.0\./), '10.71.0.1', null],
      offers: expect.arrayContaining([
        { server: '10.71.0.1', gives: true, pxe: '' },
        { server: found.address[0], gives: false, pxe: 'PXEClient' },
      ]),
      acknowledged: 2,
      mode: 'proxy',
    });
  });

  test('answers network boot clients and machines of VIVER only, whatever anybody else asks, in every mode', async () => {
    const found = (await play('strangers on an empty network')) as Record<string, Record<string, string[]>> & {
      seconds: number;
      said: string[];
    };
    const silence = { bare: [], windows: [], dhclient: [], udhcpc: [], android: [] };
    const { seconds, said, served, proxied, ...modes } = found;
    expect(modes).toEqual({ atFirst: silence, alone: silence, standby: silence, proxy: silence });
    const bios = expect.arrayContaining(['OFFER undionly.kpxe']);
    const efi = expect.arrayContaining(['OFFER snponly.efi']);
    expect(served).toMatchObject({ viver: expect.arrayContaining(['OFFER undionly.kpxe']), 0: bios, 7: efi, 9: efi });
    expect(served?.ipxe?.join()).toMatch(/OFFER http:\/\/10\.86\.\d+\.\d+:20080\/boot\/boot\.ipxe/);
    expect(served?.http16?.join()).toMatch(/OFFER http:\/\/10\.86\.\d+\.\d+:20080\/boot\/snponly\.efi/);
    // Firmware that no loader is for goes on with its next boot entry.
    expect(served).toMatchObject({ 6: [], 10: [], 11: [], 41: [], pi0: [], http15: [], http19: [] });
    expect(said.join()).toMatch(
      /52:54:00:aa:00:\d+: not answered: no boot loader here for its firmware \(UEFI arm64, architecture 11\)/,
    );
    expect(proxied).toMatchObject({
      viver: [],
      0: [expect.stringMatching(/^OFFER/)],
      7: [expect.stringMatching(/^OFFER/)],
      11: [],
      pi0: [],
      http16: [expect.stringMatching(/^OFFER http:\/\/10\.72\.0\.\d+:20080\/boot\/snponly\.efi$/)],
      http19: [],
    });
    expect(seconds).toBeLessThan(60);
  });

  test('with two wires serves the one without a DHCP server, or the one it is told to', async () => {
    expect(await play('an uplink and a class-room')).toEqual({
      uplink: [expect.stringMatching(/^10\.71\.0\./)],
      room: [expect.stringMatching(/^10\.86\./)],
      inOffice: { 0: [], windows: [] },
      told: [],
      toldUplink: [expect.stringMatching(/^10\.71\.0\./)],
    });
  });

  test('answers firmware behind a relay, each by its kind, and no stranger there', async () => {
    const silence = { bare: [], windows: [], dhclient: [], udhcpc: [], android: [] };
    const found = (await play('a relay')) as { second: Record<string, string[]>; here: Record<string, string[]> };
    expect(found.second).toMatchObject({
      0: ['OFFER undionly.kpxe'],
      7: ['OFFER'],
      http16: ['OFFER http://10.80.0.2:20080/boot/snponly.efi'],
      ipxe: ['OFFER http://10.80.0.2:20080/boot/boot.ipxe'],
      11: [],
      ...silence,
    });
    expect(found).toMatchObject({
      first: silence,
      here: { 0: expect.arrayContaining(['OFFER undionly.kpxe']), ...silence },
    });
  });

  test('answers everybody on a wire that is its own, by viver.serve=all, and nobody where it is not to serve', async () => {
    expect(await play('a wire of its own')).toEqual({
      windows: expect.arrayContaining([expect.stringMatching(/^OFFER/)]),
      11: [],
    });
    expect(await play('nobody is to be served')).toEqual({ 0: [], viver: [], windows: [] });
  });

  test('with viver.ip= gives away neither its own address nor the address of the gateway', async () => {
    expect(await play('a set address beside a gateway')).toEqual([
      ...['10.80.0.3', '10.80.0.4', '10.80.0.5', '10.80.0.6'],
      'none',
    ]);
  });

  test('steps back beside a DHCP server that is switched on later, and takes an address of it', async () => {
    expect(await play('another server appears')).toEqual({
      before: [expect.stringMatching(/^10\.86\./)],
      after: [expect.stringMatching(/^10\.86\./), expect.stringMatching(/^10\.72\.0\./)],
    });
  });

  test('a stranger fills neither log nor memory by HTTP, nor keeps others from their kernel', async () => {
    const found = (await play('a stranger at the web server')) as {
      done: { codes: Record<string, number>; pipelined: number; otherBytes: number; otherMs: number };
      grewMb: number;
      said: string[];
      down: unknown[];
    };
    expect(Object.keys(found.done.codes).sort()).toEqual(['200', '400', '404']);
    expect(found.done).toMatchObject({ pipelined: 20, otherBytes: 2 << 20 });
    expect(found.done.otherMs).toBeLessThan(15_000);
    expect(found.grewMb).toBeLessThan(250);
    expect(found.said.length).toBeGreaterThan(0);
    expect(found.said.length).toBeLessThanOrEqual(30);
    expect(found.down).toEqual([]);
  });

  test('beside a server that gives it no address it stands by, and all that runs goes on', async () => {
    expect(await play('another server gives machines like this one no address')).toEqual({
      anew: [],
      addresses: [expect.stringMatching(/^10\.86\./)],
    });
  });

  test('runs a plugin of its own, a .ts file as it is; a file that is no plugin is named', async () => {
    expect(await play('a plugin of its own', 'machine-scenarios')).toEqual({
      said: expect.stringMatching(/own: I am one at 10\.86\.\S+: true$/),
      broken: expect.stringContaining('broken.ts: its default export is no plugin'),
    });
  });
});

describe('a machine whose', () => {
  test('field daemon was started before its address was known has one daemon, there, and another one when it dies', async () => {
    const found = (await play('a field of its own', 'machine-scenarios')) as { own: string };
    const at = `${found.own}:20070`;
    expect(found).toEqual({ own: expect.stringMatching(/^10\.86\./), early: ['-'], at, after: [at] });
  });

  test('neighbour chose the same address in the same moment takes another one, and the neighbour keeps it', async () => {
    expect(await play('two choose the same address at once', 'machine-scenarios')).toEqual({
      lower: ['10.86.2.60'],
      higher: 1,
    });
  });

  test('cards are both plugged into one switch keeps its address, though it answers itself by the other card', async () => {
    expect(await play('both cards are plugged into one switch', 'machine-scenarios')).toEqual([[], []]);
  });

  test('wire has a forger on it that answers for every address takes one all the same, and keeps it', async () => {
    expect(await play('somebody answers for every address', 'machine-scenarios')).toEqual({ addresses: 1, anew: [] });
  });

  test('card is renamed serves on by its new name', async () => {
    expect(await play('a card gets another name', 'machine-scenarios')).toEqual({
      isSame: true,
      lease: 'undionly.kpxe',
    });
  });

  test('card is renamed has its lease renewed by the new name', async () => {
    expect(await play('a card with a lease gets another name', 'machine-scenarios')).toEqual({
      address: [expect.stringMatching(/^10\.71\.0\./)],
      renews: true,
    });
  });
});

describe('several machines', () => {
  test('one serves at a time; when it is switched off another does', async () => {
    const found = (await play('the one that serves is switched off', 'machine-scenarios')) as { table: string };
    expect(found.table).toMatch(/^image small@[0-9a-f]{12}$/m);
    for (const name of ['one', 'two', 'three']) expect(found.table).toMatch(new RegExp(`^${name} +10\\.86\\.`, 'm'));
    expect(found.table).toContain('every chunk is held 3 times at least');
    expect(found).toMatchObject({
      before: ['standby', 'standby'],
      after: ['full', 'standby'],
      known: true,
      same: true,
      lease: 'undionly.kpxe',
    });
  });

  test('nothing that is served has a secret in it: not the key of the field, not the hash of a password', async () => {
    expect(await play('secrets of a machine that serves', 'machine-scenarios')).toEqual({
      hasKey: true,
      keyed: expect.stringContaining('share their image by a secret key'),
      leaks: [],
      empty: [],
      // Of all that the package has.
      loaders: expect.toSatisfy((names: string[]) => names.toSorted().join(' ') === 'snponly.efi undionly.kpxe'),
    });
  });

  test('a roles file says what machines that boot get: words, menu, image, or nothing', async () => {
    const found = (await play('roles of machines that boot', 'machine-scenarios')) as Record<string, string> & {
      lines: string[];
    };
    expect(found.asked).toMatch(/^chain http:.*\/boot\/boot\.ipxe\?mac=\$\{netX\/mac:hexhyp\}/m);
    expect(found.named).toMatch(/ viver\.cow=ram quiet viver\.keymap=de viver\.role=named \|\|/);
    expect(found.named).toContain('goto login');
    expect(found.tagged).toMatch(/ BOOTIF=\S+ viver\.vlan=7 .*viver\.cow=ram/);
    for (const one of [found.named, found.untagged, found.elsewhere]) expect(one).not.toContain('viver.vlan=');
    expect(found.noMac).toBe('503');
    expect(found.named).not.toContain('viver.rescue');
    expect(found.stranger).toMatch(/does not boot here: its role is strangers.*\nsleep 3\nexit 1/);
    expect(found.other).toMatch(/role, other, wants the image nowhere, which is not here/);
    expect(found.menu).toEqual(['401', '401', '200']);
    expect(found.status).toEqual(['401', '200', '200']);
    expect(found.lines).toHaveLength(3);
  });

  test('a machine that loads slowly gets the first stage for initrd, unless that came to nothing; without one, the initrd', async () => {
    expect(await play('a machine whose loader is slow', 'machine-scenarios')).toEqual({
      isRight: true,
      got: ['initrd of one\n', 'first stage of', 'initrd of one\n', 'first stage of'],
      part: 'initrd of one\n',
      without: { word: 'none', got: 'initrd of old\n' },
    });
  });

  test('two that find an empty network at once agree without harm', async () => {
    expect(await play('two find an empty network at once')).toEqual({ different: true, lease: 'undionly.kpxe' });
  });

  test('give kernel and initrd together: those who load are sent to the least loaded', async () => {
    expect(await play('boot files come from more than one', 'machine-scenarios')).toEqual({ servers: 2, whole: true });
  });
});

const SILENCE = { bare: [], windows: [], dhclient: [], udhcpc: [], android: [] };

describe('two clusters of different images on one wire that multicast does not get through', () => {
  test('one server offers both images, each machine that a role names gets its own; another takes over', async () => {
    const found = (await play('one serves, both are offered', 'cluster-scenarios')) as Record<string, unknown>;
    expect(found).toEqual({
      first: 'a1',
      asks: [expect.stringMatching(/boot\.ipxe\?mac=\$\{netX\/mac:hexhyp\}/)],
      menu: ['at once VIVER small', 'VIVER small', 'VIVER other from B'],
      sentOn: true,
      owned: 'at once VIVER other',
      kernel: '200',
      why: expect.stringMatching(/serves$/),
      second: expect.stringMatching(/^b[12]$/),
      bios: { 0: expect.arrayContaining(['OFFER undionly.kpxe']) },
      third: found.second,
      heard: SILENCE,
    });
  });
});
