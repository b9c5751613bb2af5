import { encodeRelease, parseRelease, type ReadRelease, type Release } from '../../../../src/image/release.ts';

export const OLD = { name: 'class-6', id: '06'.repeat(32) };
export const NEW = { name: 'class-7', id: '07'.repeat(32) };
export const EXPIRES_SECONDS = 2_000_000_000;

/** A release as it is read; for all, unless said otherwise. */
export function released(version: number, change: Partial<Release> = {}): ReadRelease {
  return parseRelease(
    encodeRelease({
      ...{ name: 'class', version, image: NEW, sizeBytes: 1000, expiresSeconds: EXPIRES_SECONDS },
      ...{ for: [[{ kind: 'all' }]], when: 'reboot', instead: OLD },
      ...change,
    }),
  );
}

export const machineOf = (number: number, role = 'node') => {
  const digits = number.toString(16).padStart(6, '0');
  const mac = `52:54:00:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
  return { mac, hostname: `pc-${digits}`, role };
};
