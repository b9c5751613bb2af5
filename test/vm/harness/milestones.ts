/** Where a machine is in its boot, told from a line of its console. */
interface Row {
  readonly line: RegExp;
  readonly say: (groups: readonly string[]) => string;
}

const ROWS: readonly Row[] = [
  { line: /^SeaBIOS \(version/, say: () => 'BIOS' },
  { line: /^BdsDxe: starting Boot\S+ "([^"]*)"/, say: ([entry]) => `UEFI boots ${entry}` },
  { line: /^iPXE \d/, say: () => 'iPXE starts' },
  { line: /^net\d: (\d+(?:\.\d+){3})\/\S+/, say: ([address]) => `iPXE has the address ${address}` },
  { line: /^http:\/\/(\S+)\/boot\.ipxe\S*\.\.\..* ok$/, say: ([host]) => `boot script from http://${host}/` },
  { line: /\/vmlinuz\.\.\..* ok$/, say: () => 'kernel loaded' },
  { line: /\/viverrd\.zst\.\.\..* ok$/, say: () => 'initrd loaded' },
  { line: /\bLinux version (\S+)/, say: ([version]) => `Linux ${version} starts` },
  { line: /viver: first stage: (.*)$/, say: ([said]) => `first stage: ${said}` },
  { line: /\bRun \/init as init process/, say: () => '/init starts' },
  { line: /viver: (\[\d\/\d\] \S+ … .*)$/, say: ([stage]) => stage ?? '' },
  {
    line: /viver: root ready image=(\S+) medium=(\S+) .*seconds=(\S+)/,
    say: ([image, medium, seconds]) => `ROOT READY: ${image} from ${medium}, ${seconds} s after its kernel started`,
  },
  { line: /systemd\[1\]: systemd \S+ running in system mode/, say: () => "the image's own init starts" },
  { line: /reboot: Power down/, say: () => 'switches itself off' },
];

/** What a console line says of the boot; undefined when nothing. */
export function milestoneOf(text: string): string | undefined {
  for (const { line, say } of ROWS) {
    const match = line.exec(text);
    if (match !== null) return say(match.slice(1).map((group) => group ?? ''));
  }
  return undefined;
}
