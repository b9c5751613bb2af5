import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  configOfCommandLine,
  parseModprobeConfig,
  parseSoftdep,
  splitCommandLine,
} from '../../../src/hardware/modprobe-config.ts';

function parse(text: string) {
  const problems: string[] = [];
  return { ...parseModprobeConfig([{ name: 'a.conf', text }], problems), problems };
}

test('every word of modprobe.d is understood', () => {
  const config = parse(`# comment
alias my-disk  sd-mod
blacklist nouveau
options usb-storage delay_use=0\tquirks=1:2:u
options usb-storage swi_tru_install=1
softdep uhci-hcd pre: ehci-hcd post: usbhid
install pcspkr /bin/false
install ext9 /sbin/special $CMDLINE_OPTS
remove ext9 /sbin/special
`);
  expect(config.problems).toEqual([]);
  expect(config.aliases).toEqual([{ pattern: 'my_disk', module: 'sd_mod' }]);
  expect([...config.blacklist]).toEqual([['nouveau', 'a.conf:3']]);
  expect([...config.forbidden]).toEqual([['pcspkr', 'a.conf:7']]);
  expect(config.options.get('usb_storage')).toEqual(['delay_use=0 quirks=1:2:u', 'swi_tru_install=1']);
  expect(config.softdeps.get('uhci_hcd')).toEqual({ pre: ['ehci-hcd'], post: ['usbhid'] });
  expect(config.commands).toEqual(['pcspkr', 'ext9', 'ext9']);
});

test('several softdep lines of a module add up', () => {
  const { softdeps } = parse('softdep btrfs pre: sha256\nsoftdep btrfs pre: crc32c post: x\n');
  expect(softdeps.get('btrfs')).toEqual({ pre: ['sha256', 'crc32c'], post: ['x'] });
});

test('weakdep lines add up; one that names nothing is no fault', () => {
  const { weakdeps, problems } = parse(
    'weakdep mod-loop-a\nweakdep mod-loop-b mod-loop-a mod-simple\nweakdep mod-loop-b x\n',
  );
  expect(weakdeps.get('mod_loop_b')).toEqual(['mod-loop-a', 'mod-simple', 'x']);
  expect(problems).toEqual([]);
});

test('softdep words before pre: and post: mean nothing', () => {
  expect(parseSoftdep(['gcm', 'pre:', 'a', 'post:', 'b', 'pre:', 'c'])).toEqual({ pre: ['a', 'c'], post: ['b'] });
});

test('a backslash joins lines, and the lines keep their numbers', () => {
  const { softdeps, problems } = parse('softdep a \\\npre: b \\\nc\nbogus\n');
  expect(softdeps.get('a')).toEqual({ pre: ['b', 'c'], post: [] });
  expect(problems).toEqual(["a.conf:4: not a line of modprobe.d: 'bogus'"]);
});

test('bad lines are named and passed over', () => {
  const { problems, options } = parse(
    'options x\nalias a\nblacklist\ninclude y\nalias a[ b\ntoString x\n\0\0\noptions ok a=1',
  );
  expect(problems).toHaveLength(7);
  expect(options.get('ok')).toEqual(['a=1']);
});

test('any text is read without an exception', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parse(text);
      configOfCommandLine(text);
    }),
  );
});

function commandLine(text: string) {
  return parseModprobeConfig([configOfCommandLine(text)], []);
}

test("a module's parameter on the kernel command line becomes its option", () => {
  const { options } = commandLine(
    'quiet usb-storage.delay_use=1 ahci.mobile_lpm_policy=0 nvme.poll viver.image=debian root=a.b',
  );
  expect(options.get('usb_storage')).toEqual(['delay_use=1']);
  expect(options.get('ahci')).toEqual(['mobile_lpm_policy=0']);
  expect(options.get('nvme')).toEqual(['poll']);
  expect(options.size).toBe(3);
});

test('quotes hold a value together, wherever the boot loader put them', () => {
  expect(splitCommandLine('a.b="c d" e')).toEqual(['a.b="c d"', 'e']);
  expect(commandLine('a.b="c d" e').options.get('a')).toEqual(['b="c d"']);
  expect(commandLine('"a.b=c d" e').options.get('a')).toEqual(['b="c d"']);
});

test('the three blacklists of the command line', () => {
  const { blacklist, forbidden } = commandLine(
    'modprobe.blacklist=a-1,b module_blacklist=c viver.modules.blacklist=d,,e',
  );
  expect([...blacklist.keys()]).toEqual(['a_1', 'b']);
  expect([...forbidden.keys()]).toEqual(['c', 'd', 'e']);
  expect(forbidden.get('c')).toBe('kernel command line:3');
});
