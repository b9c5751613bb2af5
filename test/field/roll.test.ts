import { expect, test } from 'vitest';
import { play } from './runes/play.ts';

interface Said {
  readonly status: number;
  readonly output: string;
}

const trial = (image: string, version: number) =>
  `viver.image=${image} viver.release=small@${version} panic=30 systemd.crash_reboot=yes`;
const other = (version: number) => `viver.image=small viver.release=small@${version},other`;

test('a new image is tried on one machine, rolled out, stops at the first that fails, and is taken back', async () => {
  const found = (await play('try, out, failure, back', 'roll-scenarios')) as Record<string, unknown> & {
    part: number;
    said: Said[];
  };
  const { part, said, ...rest } = found;
  expect(rest).toEqual({
    nothing: 'nothing is rolled out',
    before: 'viver.image=small',
    onTrial: [trial('next', 1), other(1)],
    // It cannot load another kernel than the server's, and goes on with what it had.
    byGrub: 'viver.image=small viver.release=small@1,other',
    look: [true, 0],
    asks: true,
    kernel: 'kernel of next\n200',
    first: trial('next', 3),
    second: other(3),
    other: other(3),
    proven: trial('next', 3),
    stopped: expect.stringMatching(
      /STOPPED: pc-000003 \(52:54:00:00:00:03\) started anew after \d+ s without having been/,
    ),
    troubles: expect.arrayContaining([expect.stringMatching(/^The roll-out of small 3 has stopped: pc-000003 /)]),
    after: [trial('small', 4), trial('small', 4)],
  });
  // half of forty machines, by their MACs
  expect(part).toBe(22);
  expect(said.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  expect(said[0]?.output).toMatch(/^viver roll: no machine has next on a medium that it boots from: after a power cut/);
  expect(said[3]?.output).toMatch(/small\.release: says which image of this medium boots/);
});

test('with keys a signed release is taken from any machine, and reaches the boot server', async () => {
  const found = (await play('signed on any machine', 'roll-scenarios')) as Record<string, Said> & { shown: string };
  expect(found).toMatchObject({
    unsigned: { status: 1, output: expect.stringMatching(/^viver roll: --secret FILE is wanted: /) },
    signed: {
      status: 0,
      output: expect.stringMatching(/small 1: next@[0-9a-f]{12} for mac:52:54:00:00:00:01: 0 healthy/),
    },
    boots: [trial('next', 1), other(1)],
    posted: '405',
  });
  const { hasKeys, rolls } = JSON.parse(found.shown) as { hasKeys: boolean; rolls: { view: { keyId: string } }[] };
  expect([hasKeys, rolls[0]?.view.keyId]).toEqual([true, expect.stringMatching(/^[0-9A-F]+$/)]);
});

test('without keys the boot server alone takes a release', async () => {
  expect(await play('without keys on the boot server only', 'roll-scenarios')).toEqual({
    there: {
      status: 1,
      output:
        'viver roll: without keys only the boot server takes a release, which is SERVER: run this there, or put a public key into the initrd (etc/viver/keys)\n',
    },
    now: expect.stringMatching(/^viver roll: --now: without keys no machine takes the word of another/),
    socket: '600\n',
    kept: [],
  });
});
