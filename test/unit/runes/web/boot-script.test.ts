import { describe, expect, test } from 'vitest';
import {
  againToDiskScript,
  askMacScript,
  type BootScript,
  bootScript,
  inheritedWords,
  noImageScript,
  notHereScript,
  ownersScript,
  taggedAskScript,
  toDiskScript,
} from '../../../../src/runes/web/boot-script.ts';

const id = '0123456789abcdef'.repeat(4);
const script: BootScript = {
  base: 'http://10.86.0.9:20080',
  image: { name: 'debian', id },
  others: [
    {
      name: 'other',
      id: id.split('').reverse().join(''),
      peers: ['10.86.0.9:20071'],
      directory: 'http://10.86.0.9:20080/boot/other',
    },
  ],
  peers: ['10.86.0.9', '10.86.9.9:20070'],
  words: ['console=ttyS0,115200', 'panic=30'],
  hasMemtest: true,
};
const lines = bootScript(script).split('\n');
/** iPXE says what card it loads by. */
const BASE = '$' + '{base}';
const CHIP = `chip=$${'{netX/chip:uristring}'}`;

describe('the boot script', () => {
  test('boots VIVER at once: the image by its id, the peers, the interface it came by, the consoles of the server', () => {
    expect(lines[0]).toBe('#!ipxe');
    expect(lines.find((line) => line.startsWith('prompt'))).toMatch(/--timeout \d+ .*&& goto menu \|\| goto viver$/);
    const kernel = lines[lines.indexOf(':viver') + 1] ?? '';
    const words = kernel.split(' || ')[0]?.split(' ') ?? [];
    expect(words.slice(0, 2)).toEqual(['kernel', `$${'{base}'}/boot/vmlinuz?${CHIP}`]);
    expect(words.slice(2)).toEqual([
      'initrd=viverrd.zst',
      `viver.image=debian@sha256:${id}`,
      'viver.media=net',
      'viver.peer=10.86.0.9,10.86.9.9:20070',
      'BOOTIF=01-$' + '{netX/mac:hexhyp}',
      'console=ttyS0,115200',
      'panic=30',
    ]);
  });

  test("the server's own image may come by the first stage, which is told what to fetch; nothing else does", () => {
    const whole = { sha256: id, sizeBytes: 55_000_000, from: ['10.86.0.9:20080', '10.86.0.10:20080'] };
    const rows = bootScript({ ...script, whole }).split('\n');
    const [kernel = '', initrd = ''] = rows.slice(rows.indexOf(':viver') + 1);
    const word = `viver.first=${id}/55000000@10.86.0.9:20080,10.86.0.10:20080`;
    expect(kernel).toContain(` initrd=viverrd.zst ${word} viver.image=debian@`);
    expect(initrd).toBe(
      `initrd --name viverrd.zst ${BASE}/boot/viverrd.zst?${CHIP}&first || initrd ${BASE}/boot/viverrd.zst?here&${CHIP} || goto failed`,
    );
    for (const label of ['other0', 'rescue']) {
      const at = rows.indexOf(`:${label}`);
      expect(rows.slice(at, at + 3).join('\n')).not.toMatch(/first/);
    }
    expect(lines.join('\n')).not.toMatch(/first/);
    expect(() => bootScript({ ...script, whole: { ...whole, from: ['a b'] } })).toThrow('cannot be a word');
  });

  test('another image is booted by its own kernel, from its own field', () => {
    const kernel = lines[lines.indexOf(':other0') + 1] ?? '';
    expect(kernel).toContain(
      `kernel http://10.86.0.9:20080/boot/other/vmlinuz?${CHIP} initrd=viverrd.zst viver.image=other@sha256:`,
    );
    expect(kernel).toContain(' viver.peer=10.86.0.9:20071 ');
  });

  const wordsAt = (label: string, of: Partial<BootScript>) => {
    const rows = bootScript({ ...script, ...of }).split('\n');
    return (rows[rows.indexOf(`:${label}`) + 1] ?? '').split(' || ')[0]?.split(' ') ?? [];
  };
  const vlansOf = (words: readonly string[]) => words.filter((word) => word.startsWith('viver.vlan='));

  test('a machine that boots by a VLAN is told it, whatever it starts; any other is told none', () => {
    const others = script.others.map((other) => ({ ...other, words: ['console=tty0'] }));
    for (const label of ['viver', 'other0', 'rescue']) {
      expect(vlansOf(wordsAt(label, { vlan: 7, others }))).toEqual(['viver.vlan=7']);
      expect(vlansOf(wordsAt(label, { others }))).toEqual([]);
    }
  });

  test('the VLAN that a role names wins, and stands once', () => {
    const words = [...script.words, 'viver.vlan=9'];
    expect(vlansOf(wordsAt('viver', { vlan: 7, words }))).toEqual(['viver.vlan=9']);
    expect(vlansOf(wordsAt('viver', { words }))).toEqual(['viver.vlan=9']);
  });

  test('who asks for an address again asks by the device it came by first, then by any', () => {
    const again = `dhcp ${'$'}{netX/ifname} || dhcp ||`;
    expect(lines).toContain(`${again} goto failed`);
    expect(noImageScript('exam', 'exam-2026').split('\n')).toContain(again);
  });

  test("another cluster's image comes from its machines, at once for a machine that is theirs", () => {
    const theirs = {
      ...{ name: 'theirs', id, peers: ['10.86.1.1', '10.86.1.2:20070'] },
      ...{ directory: 'http://10.86.1.1:20080/boot', from: '10.86.1.1' },
    };
    const offered = bootScript({ ...script, others: [...script.others, theirs] }).split('\n');
    expect(offered.find((line) => line.includes('other1 '))).toBe(
      'item --key 2 other1 (2) VIVER theirs from 10.86.1.1',
    );
    expect(offered.find((line) => line.startsWith('prompt'))).toMatch(/VIVER debian: .* goto viver$/);
    const kernel = offered[offered.indexOf(':other1') + 1] ?? '';
    expect(kernel).toContain(
      `kernel http://10.86.1.1:20080/boot/vmlinuz?${CHIP} initrd=viverrd.zst viver.image=theirs@`,
    );
    expect(kernel).toContain(' viver.peer=10.86.1.1,10.86.1.2:20070 ');
    const owned = bootScript({ ...script, others: [...script.others, { ...theirs, isFirst: true }] });
    expect(owned).toMatch(/^prompt .*VIVER theirs: .*&& goto menu \|\| goto other1$/m);
    expect(owned).toContain('choose --default other1 selected');
    expect(() => bootScript({ ...script, others: [{ ...theirs, directory: 'http://a/ b' }] })).toThrow(
      'cannot be a word',
    );
  });

  test("a machine of another cluster's gets that one's script, and this server's where it fails", () => {
    expect(ownersScript('http://10.86.1.1:20080', '52:54:00:bb:00:01', '#!ipxe\nexit 1\n')).toBe(
      '#!ipxe\nchain http://10.86.1.1:20080/boot/boot.ipxe?mac=52-54-00-bb-00-01&card=$' +
        '{netX/ifname}&ip=$' +
        '{netX/ip} ||\nexit 1\n',
    );
    expect(() => ownersScript('http://10.86.1.1:20080', 'x y', '#!ipxe\n')).toThrow('cannot be a word');
  });

  test('a machine is asked for its MAC where that decides', () => {
    expect(askMacScript('http://10.86.0.9:20080', true)).toBe(
      `#!ipxe\nchain http://10.86.0.9:20080/boot/boot.ipxe?mac=${'$'}{netX/mac:hexhyp}&card=${'$'}{netX/ifname}&ip=${'$'}{netX/ip}&menu || exit 1\n`,
    );
  });

  test('every label that is gone to is there, and every item of the menu has its label', () => {
    const labels = new Set(lines.filter((line) => line.startsWith(':')).map((line) => line.slice(1)));
    const goals = lines.flatMap((line) => [...line.matchAll(/goto (\w+)/g)].map((match) => match[1] ?? ''));
    const rows = lines
      .flatMap((line) => [/^item --key (\S) (\S+) \((\S)\) /.exec(line) ?? []])
      .filter((row) => row.length > 0);
    expect(new Set(rows.map(([, key]) => key)).size).toBe(rows.length);
    for (const [, key, , shown] of rows) expect(shown).toBe(key);
    const items = rows.map(([, , label = '']) => label);
    expect(items).toEqual(['viver', 'other0', 'local', 'memtest', 'rescue', 'shell']);
    for (const goal of [...goals, ...items]) expect(labels).toContain(goal);
  });

  test('memtest is told of serial consoles, which it has drivers for, and of no others', () => {
    const text = bootScript({ ...script, words: ['console=tty0', 'console=ttyS0,115200', 'panic=30'] });
    expect(text).toContain('/boot/memtest.bin console=ttyS0,115200 && boot');
    expect(text).toContain('/boot/memtest.efi console=ttyS0,115200 || goto menu');
  });

  test('a machine sent to its own disk ends iPXE with an error, at another entry of its firmware unless a key is pressed', () => {
    expect(toDiskScript.split('\n')).toEqual(['#!ipxe', 'exit 1', '']);
    const [first, prompt = '', label, chain] = againToDiskScript(script.base).split('\n');
    expect([first, label]).toEqual(['#!ipxe', ':menu']);
    expect(prompt).toMatch(/^prompt --timeout \d+ .* && goto menu \|\| exit 1$/);
    expect(chain).toBe('chain http://10.86.0.9:20080/boot/boot.ipxe?menu || exit 1');
  });

  const goesTo = (of: Partial<BootScript>) => {
    const text = bootScript({ ...script, ...of });
    const rows = text.split('\n');
    const labels = new Set(rows.filter((line) => line.startsWith(':')).map((line) => line.slice(1)));
    for (const goal of rows.flatMap((line) => [...line.matchAll(/goto (\w+)/g)].map((match) => match[1] ?? '')))
      expect(labels).toContain(goal);
    return text;
  };

  test('a role may name the image that is booted without being asked', () => {
    const [other] = script.others;
    const text = goesTo({ others: other === undefined ? [] : [{ ...other, isFirst: true }] });
    expect(text).toMatch(/^prompt .* VIVER other: .* \|\| goto other0$/m);
    expect(text).toMatch(/^choose --default other0 /m);
  });

  test('a menu that nobody gets is not in the script, nor is what it offers', () => {
    const text = goesTo({ menu: 'none' });
    expect(text).not.toMatch(/prompt|menu|shell|rescue|sanboot/);
    expect(text.split('\n')[3]).toBe('goto viver');
  });

  test('a menu that is shown is left after its time', () => {
    const text = goesTo({ menu: 10 });
    expect(text).toMatch(/^choose --timeout 10000 --default viver /m);
    expect(text).not.toMatch(/^prompt/m);
  });

  test('a menu with a password is fetched with it, and is not in the script before', () => {
    const text = goesTo({ lockedMenu: '/boot/menu.ipxe?mac=52:54:00:12:34:56' });
    expect(text).toContain('&& goto login || goto viver');
    expect(text).toContain(
      'username:uristring}:$' + '{password:uristring}@10.86.0.9:20080/boot/menu.ipxe?mac=52:54:00:12:34:56 ||',
    );
    expect(text).not.toMatch(/viver\.rescue|:shell|sanboot/);
    expect(goesTo({ menu: 'open' })).toContain('viver.rescue');
  });

  test('a machine that is not to boot here, or whose image is not here, is told so', () => {
    expect(notHereScript('strangers')).toMatch(/^#!ipxe\necho .*strangers.*\nsleep 3\nexit 1\n$/);
    expect(noImageScript('exam', 'exam-2026')).toMatch(/wants the image exam-2026, which is not here/);
    expect(() => notHereScript('a b')).toThrow('cannot be a word');
  });

  test('without memtest in the initramfs there is no item for it', () => {
    expect(bootScript({ ...script, hasMemtest: false })).not.toContain('memtest');
  });

  test('a name that iPXE or the kernel could take for more than a name is refused', () => {
    for (const name of ['a b', 'a$' + '{net0/mac}', 'a\nboot', 'a|b', 'a&&b', '"x"'])
      expect(() => bootScript({ ...script, image: { name, id } })).toThrow('cannot be a word of the command line');
    expect(() => bootScript({ ...script, peers: ['1.2.3.4 init=/bin/sh'] })).toThrow('cannot be a word');
  });
});

test('the name of the wire and the limit of the field on it are handed on', () => {
  const line = 'viver.limit=10M/none viver.site=room-3 viver.hostname=one viver.ip=10.0.0.2/24';
  expect(inheritedWords(line)).toEqual(['viver.limit=10M/none', 'viver.site=room-3']);
});

test('consoles and what follows a failure are handed on, the rest of the command line is not', () => {
  const line =
    'BOOT_IMAGE=/boot/vmlinuz console=ttyS0,115200 console=tty0 panic=30 viver.toram quiet root=x -- console=no';
  expect(inheritedWords(line)).toEqual(['console=ttyS0,115200', 'console=tty0', 'panic=30']);
});

test("the server's own VLAN is not handed on: a machine may be on it by a switch port that takes the tag off", () => {
  expect(inheritedWords('viver.vlan=7 panic=30 viver.serve=all')).toEqual(['panic=30']);
});

test('only a machine that may boot by a VLAN asks again, and is not booted without its answer', () => {
  const whole = taggedAskScript('http://10.86.0.9:20080', false, bootScript(script)).split('\n');
  expect(whole[0]).toBe('#!ipxe');
  const commands = (whole[1] ?? '').split(' || ');
  const name = '$' + '{netX/ifname}';
  // an iPXE without the setting, and its first cards, go on with what follows
  expect(commands.slice(0, 3)).toEqual([`iseq x${name} x`, `iseq x${name} xnet0`, `iseq x${name} xnet1`]);
  expect(commands.every((command) => command.startsWith('iseq ') || command === 'goto tagged')).toBe(true);
  expect(commands.at(-1)).toBe('goto tagged');
  const tail = whole.splice(whole.indexOf(':tagged'));
  expect(tail[1]).toMatch(/^chain http:\/\/10\.86\.0\.9:20080\/boot\/boot\.ipxe\?mac=\S+&card=\S+ \|\| exit 1$/);
  expect(whole.slice(2).join('\n').trimEnd()).toBe(lines.slice(1).join('\n').trimEnd());
});
