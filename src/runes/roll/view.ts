import { formatTime, formatWord, isExpired } from '../../image/release.ts';
import type { RollLine } from './line.ts';

/** A roll-out as everybody is shown it: `/status.json`, the status page, `viver roll status --json`. */
export interface RollView {
  readonly name: string;
  readonly version: number;
  readonly image: { readonly name: string; readonly id: string };
  /** Whom it is for, in the release's own words. */
  readonly for: readonly string[];
  readonly when: string;
  readonly expires: string;
  readonly isExpired: boolean;
  /** Undefined when it is not signed. */
  readonly keyId: string | null;
  /** What the others boot. */
  readonly instead: { readonly name: string; readonly id: string } | null;
  /** Why it has stopped; null: it goes on. */
  readonly stopped: string | null;
  /** Counts of machines that this one has sent to boot it. */
  readonly healthy: number;
  readonly booting: number;
  readonly failed: readonly { readonly mac: string; readonly hostname: string; readonly why: string }[];
}

/** More are counted by nobody: the roll-out has stopped at the first. */
const MOST_FAILED = 16;
const LONGEST_WHY = 200;

/** Pure. */
export function viewOf({ read, stopped, attempts }: RollLine, nowSeconds: number): RollView {
  const { release, signature } = read;
  const { name, version, image, when, instead = null } = release;
  const all = [...attempts];
  const count = (state: string) => all.filter(([, attempt]) => attempt.state === state).length;
  return {
    ...{ name, version, image, when, instead },
    for: release.for.map((words) => words.map(formatWord).join(' ')),
    expires: formatTime(release.expiresSeconds),
    isExpired: isExpired(release, nowSeconds),
    keyId: signature?.keyId ?? null,
    stopped: stopped?.slice(0, LONGEST_WHY) ?? null,
    healthy: count('healthy'),
    booting: count('booting'),
    failed: all
      .filter(([, { state }]) => state === 'failed')
      .slice(-MOST_FAILED)
      .map(([mac, { hostname, why }]) => ({ mac, hostname, why: why.slice(0, LONGEST_WHY) })),
  };
}

/** In a sentence or two. Pure. */
export function describeRoll({ name, version, image, stopped, healthy, booting, failed, ...more }: RollView): string {
  const counts = [`${healthy} healthy`, `${booting} booting`, `${failed.length} failed`].join(', ');
  const expired = more.isExpired ? '; it has expired, and no other server takes it up' : '';
  const end = stopped === null ? '' : `; STOPPED: ${stopped}`;
  return `${name} ${version}: ${image.name}@${image.id.slice(0, 12)} for ${more.for.join(', ')}: ${counts}${expired}${end}`;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown, most = 300): boolean => typeof value === 'string' && value.length <= most;
const isImage = (value: unknown): boolean => isRecord(value) && isText(value.name) && isText(value.id, 64);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

/** Whether what another machine says is one. */
export function isRollView(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { name, version, image, when, expires, keyId, instead, stopped, healthy, booting, failed } = value;
  return (
    isText(name) &&
    [version, healthy, booting].every(isCount) &&
    isImage(image) &&
    Array.isArray(value.for) &&
    value.for.length <= 16 &&
    value.for.every((one) => isText(one, 2000)) &&
    isText(when) &&
    isText(expires) &&
    typeof value.isExpired === 'boolean' &&
    (keyId === null || isText(keyId)) &&
    (instead === null || isImage(instead)) &&
    (stopped === null || isText(stopped)) &&
    Array.isArray(failed) &&
    failed.length <= MOST_FAILED &&
    failed.every((one) => isRecord(one) && isText(one.mac) && isText(one.hostname) && isText(one.why))
  );
}
