/** Signatures and releases on their way between nodes on real sockets. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FieldNode } from '../../../src/field/node.ts';
import { proveField } from '../../../src/field/prove-field.ts';
import { NO_LIMITS } from '../../../src/field/shares/limits.ts';
import { NO_PAPERS, type Papers } from '../../../src/field/wire/papers.ts';
import { trustIn } from '../../../src/image/signature.ts';
import { anyIndex, makeSigner } from './signing.ts';
import { imageInMemory, starterOf } from './small-field.ts';
import { pause, RawGuest, until, within } from './stranger.ts';

const HOST = '127.0.0.1';
const LENGTH = 100_000;
const CHUNKS = 12;
const { index, medium } = imageInMemory(CHUNKS, LENGTH);
const start = starterOf(index);
const signer = makeSigner();
const rules = { trust: trustIn([signer.known]) };
const signed = (...signatures: Uint8Array[]): Papers => ({ ...NO_PAPERS, signatures });

const claim = (peers: readonly FieldNode[], id = index.id) => ({
  ...{ host: HOST, id, key: undefined, rules, limits: NO_LIMITS },
  peers: peers.map(({ address }) => address),
});

test('a signed image is taken by who has the key, who passes the signature on when the first holder has gone', async () => {
  const holder = await start({ index, medium, papers: signed(signer.sign(index)) });
  const first = await start({ peers: [holder.address], rules });
  expect((await within(first.ready(), 10_000, 'an index')).id).toBe(index.id);
  // Without keys it carries what it cannot judge.
  const plain = await start({ peers: [holder.address] });
  await within(plain.ready(), 10_000, 'an index');
  await until('all is there', () => [first, plain].every(({ machine }) => machine.data?.held.count === CHUNKS));
  await until('the signature is there', () => plain.papers.papers.signatures.length === 1);
  holder.close();
  for (const peer of [first, plain]) {
    const late = await start({ peers: [peer.address], rules });
    await within(late.ready(), 10_000, 'an index');
  }
});

test('an image without a signature, with one of another image, or by another key, is not used', async () => {
  const cases: [Papers, RegExp][] = [
    [NO_PAPERS, /nobody there shows a signature/],
    [signed(signer.sign(anyIndex())), /does not fit: the file was changed/],
    [signed(makeSigner().sign(index)), /not among the known ones/],
    [signed(makeSigner(signer.known.id).sign(index)), /not made by key/],
  ];
  for (const [papers, why] of cases) {
    const holder = await start({ index, medium, papers });
    await expect(proveField(claim([holder]), AbortSignal.timeout(15_000))).rejects.toThrow(why);
  }
});

test('an image is proven by one good signature among false ones, of whomever', async () => {
  const liars = await Promise.all([
    start({ index, medium, papers: signed(makeSigner(signer.known.id).sign(index), signer.sign(anyIndex())) }),
    start({ index, medium, papers: signed(randomBytes(300)) }),
  ]);
  const honest = await start({ index, medium, papers: signed(signer.sign(index)), peers: [liars[0].address] });
  const found = await proveField(claim([...liars, honest]), AbortSignal.timeout(20_000));
  expect(found.index.id).toBe(index.id);
  expect(found.papers.signatures.map((each) => Buffer.from(each).toString('latin1'))).toEqual([
    Buffer.from(signer.sign(index)).toString('latin1'),
  ]);
});

test('a release comes along, is offered to the hook once, and goes on', async () => {
  const release = Buffer.from('viver release 1\n');
  const holder = await start({ index, medium, papers: { signatures: [], releases: [release] } });
  const seen: string[] = [];
  const takesRelease = (bytes: Uint8Array): boolean => seen.push(Buffer.from(bytes).toString()) > 0;
  const first = await start({ peers: [holder.address], rules: { takesRelease } });
  await until('the release is there', () => seen.length > 0);
  const second = await start({ peers: [first.address], rules: { takesRelease } });
  await until('it has gone on', () => second.papers.papers.releases.length === 1);
  expect(new Set(seen)).toEqual(new Set([release.toString()]));
  expect(seen).toHaveLength(2);
});

test('who shows papers unasked is hung up on; who asks without end is cut short', async () => {
  const holder = await start({ index, medium, papers: signed(new Uint8Array(10_000).fill(1)) });
  using guest = await RawGuest.greet(holder.address, index.id, 77, 9);
  const before = guest.bytesReceived;
  guest.send({ kind: 'get papers' });
  await until('papers', () => guest.bytesReceived > before + 10_000);
  guest.send({ kind: 'papers', ...NO_PAPERS });
  await within(guest.closed, 2000, 'its end');
  using greedy = await RawGuest.greet(holder.address, index.id, 78, 9);
  for (let i = 0; i < 5000; i++) greedy.send({ kind: 'get papers' });
  await within(greedy.closed, 10_000, 'its end');
  await pause(50);
  expect(greedy.bytesReceived).toBeLessThan(40 << 20);
});

test('papers of any bytes cost a node that looks for a signature nothing but its time', async () => {
  const anyPapers = fc.array(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { minLength: 1, maxLength: 4 });
  for (const papers of fc.sample(anyPapers, 6)) {
    const [honest, liar] = await Promise.all([
      start({ index, medium, papers: signed(signer.sign(index)) }),
      start({ index, medium, papers: { signatures: papers, releases: papers } }),
    ]);
    const node = await start({ peers: [liar.address, honest.address], rules });
    await within(node.ready(), 15_000, 'an index');
    node.close();
  }
});
