import { describe, expect, test } from 'vitest';
import { decideWait, networkPatienceMs, type WaitFacts } from '../../../../src/init/source/media-wait.ts';

const CD = { medium: 'cd', bytesPerSecond: 10e6 } as const;
const NVME = { medium: 'nvme', bytesPerSecond: 2e9 } as const;
const USB = { text: 'usb 1-2: being enumerated', medium: 'usb' } as const;

const facts = (some: Partial<WaitFacts>): WaitFacts => ({
  found: [],
  pending: [],
  order: undefined,
  hotplug: true,
  nowMs: 1000,
  startedMs: 1000,
  changedMs: 1000,
  waitMs: undefined,
  ...some,
});

describe('how long a boot waits for media', () => {
  test('an image is there and nothing more can come: at once', () => {
    expect(decideWait(facts({ found: [CD] })).kind).toBe('choose');
  });

  test('with viver.cow=keep a slower medium is waited for too: it may hold what was kept', () => {
    const some = { found: [NVME], pending: [USB] };
    expect(decideWait(facts(some)).kind).toBe('choose');
    expect(decideWait(facts({ ...some, all: true }))).toMatchObject({ kind: 'wait', untilMs: 11_000 });
    expect(decideWait(facts({ found: [NVME], pending: [{ ...USB, vague: true }], all: true })).kind).toBe('choose');
  });

  test('an image is there and a disk is still answering: a quarter of what it may save, and no longer', () => {
    const some = { found: [CD], pending: [{ text: 'ata3: link is coming up', medium: 'sata' as const }] };
    expect(decideWait(facts(some))).toMatchObject({ kind: 'wait', untilMs: 3500 });
    expect(decideWait(facts({ ...some, nowMs: 3500 }))).toMatchObject({
      kind: 'choose',
      why: expect.stringContaining('ata3'),
    });
  });

  test('a medium that is very slow gives the others ten seconds', () => {
    const slow = { found: [{ medium: 'nvme' as const, bytesPerSecond: 1e6 }], pending: [USB] };
    expect(decideWait(facts(slow))).toMatchObject({ kind: 'wait', untilMs: 11_000 });
  });

  test('an image on a disk as fast as a boot can use: what is still answering is not waited for', () => {
    expect(decideWait(facts({ found: [NVME], pending: [USB] }))).toMatchObject({ kind: 'choose' });
    expect(decideWait(facts({ found: [{ ...NVME, bytesPerSecond: 1e6 }], pending: [USB] })).kind).toBe('wait');
  });

  test('what cannot be as fast as the disk at hand is not waited for: a CD drive that is being asked', () => {
    const sata = { medium: 'sata', bytesPerSecond: 40e6 } as const;
    const drive = { text: 'scsi 1:0:0:0: CD drive, being asked', medium: 'cd' } as const;
    expect(decideWait(facts({ found: [sata], pending: [drive] })).kind).toBe('choose');
    expect(decideWait(facts({ found: [{ ...sata, bytesPerSecond: 12e6 }], pending: [drive] })).kind).toBe('wait');
    expect(decideWait(facts({ found: [sata], pending: [drive, USB] })).kind).toBe('wait');
  });

  test('an image is there, and devices come of which nothing is known: they are not waited for', () => {
    const some = { text: 'new devices are being announced', vague: true } as const;
    expect(decideWait(facts({ found: [CD], pending: [some] })).kind).toBe('choose');
    expect(decideWait(facts({ found: [CD], pending: [some], order: ['nvme', 'cd'] })).kind).toBe('wait');
    expect(decideWait(facts({ found: [], pending: [some] })).kind).toBe('wait');
  });

  test("viver.media= is a person's word: a preferred medium is waited for, others are not", () => {
    expect(decideWait(facts({ found: [NVME], pending: [USB], order: ['usb', 'nvme'] })).kind).toBe('wait');
    expect(decideWait(facts({ found: [CD], pending: [USB], order: ['cd', 'usb'] })).kind).toBe('choose');
    expect(decideWait(facts({ found: [CD], pending: [USB], order: ['cd'] })).kind).toBe('choose');
  });

  test('no image yet: a stick put in late is waited for, counted from the last change', () => {
    expect(decideWait(facts({}))).toMatchObject({ kind: 'wait', untilMs: 11_000 });
    expect(decideWait(facts({ changedMs: 5000, nowMs: 11_000 }))).toMatchObject({ kind: 'wait', untilMs: 15_000 });
    expect(decideWait(facts({ nowMs: 11_000 })).kind).toBe('fail');
  });

  test('no image and nothing that a medium could be put into: no waiting', () => {
    expect(decideWait(facts({ hotplug: false })).kind).toBe('fail');
  });

  test('viver.wait= counts where it is given', () => {
    expect(decideWait(facts({ waitMs: 0 })).kind).toBe('fail');
    expect(decideWait(facts({ waitMs: 60_000, hotplug: false }))).toMatchObject({ kind: 'wait', untilMs: 61_000 });
  });

  test('hundreds of disks may take as long as there is progress, and only the first are named', () => {
    const pending = Array.from({ length: 300 }, (_, number) => ({ text: `/dev/sd${number} is being looked at` }));
    const late = { pending, changedMs: 60_000, nowMs: 80_000 };
    expect(decideWait(facts(late))).toMatchObject({
      kind: 'wait',
      untilMs: 90_000,
      why: expect.stringMatching(/296 more$/),
    });
    expect(decideWait(facts({ ...late, changedMs: 400_000, nowMs: 411_000 })).kind).toBe('fail');
  });

  test('a device that comes and goes for ever does not prolong the search for ever', () => {
    expect(decideWait(facts({ changedMs: 100_000, nowMs: 105_000 })).kind).toBe('wait');
    expect(decideWait(facts({ changedMs: 200_000, nowMs: 200_500 })).kind).toBe('fail');
  });

  test('hardware that never settles ends the wait too, and is named', () => {
    const pending = [{ text: 'usb 1-2: being enumerated' }];
    expect(decideWait(facts({ pending }))).toMatchObject({ kind: 'wait', untilMs: 31_000 });
    expect(decideWait(facts({ pending, nowMs: 31_000 }))).toMatchObject({
      kind: 'fail',
      why: expect.stringContaining('usb 1-2'),
    });
  });
});

test('the network is asked for what a slow medium has, the longer the slower that is', () => {
  expect(networkPatienceMs(2e9)).toBe(0);
  expect(networkPatienceMs(10e6)).toBe(0);
  expect(networkPatienceMs(8e6)).toBeGreaterThan(2500);
  expect(networkPatienceMs(4e6)).toBeGreaterThan(networkPatienceMs(8e6));
  expect(networkPatienceMs(1e5)).toBe(10_000);
  expect(Number.isInteger(networkPatienceMs(3.26e6))).toBe(true);
});
