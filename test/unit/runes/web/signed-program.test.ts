import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { bearsSignature, isSignedProgram } from '../../../../src/runes/web/signed-program.ts';
import { secureLack } from '../../../../src/runes/web/tftp-tree.ts';

const [kernel = ''] = globSync(join(import.meta.dirname, '../../../../build/kernel/boot/vmlinuz-*'));

/** The same with its table of certificates empty: what `sbattach --remove` leaves. */
function unsigned(): Buffer {
  const bytes = Buffer.from(readFileSync(kernel).subarray(0, 4096));
  bytes.fill(0, bytes.readUInt32LE(0x3c) + 24 + 112 + 32, bytes.readUInt32LE(0x3c) + 24 + 112 + 40);
  return bytes;
}

test("Debian's kernel bears a signature; without its certificates it bears none", () => {
  expect(isSignedProgram(kernel)).toBe(true);
  expect(bearsSignature(unsigned())).toBe(false);
});

test('any bytes have an answer', () => {
  assert(property(uint8Array({ maxLength: 600 }), (bytes) => bearsSignature(Buffer.from(bytes)) === false));
  const head = readFileSync(kernel).subarray(0, 4096);
  for (let length = 0; length < head.length; length += 37) bearsSignature(head.subarray(0, length));
});

test('what an image lacks for machines with Secure Boot on is named', () => {
  const directory = mkdtempSync(join(tmpdir(), 'secure-'));
  try {
    const file = (name: string, path = kernel) => [name, { name, path, sizeBytes: 1 }] as const;
    const whole = ['shimx64.efi', 'grubx64.efi', 'vmlinuz', 'first-stage.zst'].map((name) => file(name));
    expect(secureLack(new Map(whole))).toBeUndefined();
    expect(secureLack(new Map([file('vmlinuz')]))).toMatch(
      /no \/boot\/viver-net\/shimx64\.efi \(shim-signed\), .*grub-efi/,
    );
    writeFileSync(join(directory, 'vmlinuz'), unsigned());
    expect(secureLack(new Map([...whole, file('vmlinuz', join(directory, 'vmlinuz'))]))).toMatch(/bears no signature/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
