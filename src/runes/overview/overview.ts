import { printable } from '../../codec/printable.ts';
import { checkMachineStatus, type MachineStatus } from '../machine-status.ts';
import { describeStep, type LoadingMachine, newestOf } from './boot-progress.ts';
import { findTroubles } from './troubles.ts';

/** How a machine of the field answers. `late`: it was asked and has not answered yet. */
export const VIEW_STATES = ['up', 'starting', 'late', 'silent', 'broken'] as const;

/** A machine of the field, as another sees it. */
export interface MachineView {
  readonly address: string;
  readonly state: (typeof VIEW_STATES)[number];
  /** Why it is not `up`, in words. */
  readonly why: string;
  /** Since it answered last; null when it never did. */
  readonly heardSeconds: number | null;
  /** What it said last. */
  readonly status: MachineStatus | null;
}

/** A machine with what it does now in words. */
export interface ShownMachine extends MachineView {
  readonly says: string;
}

/** All machines, as one of them sees them: `/machines.json` and `viver status --json`. Seconds, bytes, counts. */
export interface Overview {
  /** Grows when a part changes its meaning or goes. */
  readonly version: 1;
  /** The one that looked around first. */
  readonly machines: readonly ShownMachine[];
  /** Those that boot by network and are not in the field yet. */
  readonly loading: readonly (LoadingMachine & { readonly says: string })[];
  /** Machines in the field beyond those shown. */
  readonly more: number;
  /** What is wrong, in words, the worst first. */
  readonly troubles: readonly string[];
}

function describeSeconds(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** What a machine does now, in words. */
export function describeMachine({ state, why, heardSeconds, status }: MachineView): string {
  if (state === 'late') return 'has not answered yet';
  if (state === 'starting') return why;
  const heard = heardSeconds === null ? '' : `, but was up ${describeSeconds(heardSeconds)} ago`;
  if (state === 'silent') return `does not answer (${why})${heard}`;
  if (state === 'broken' || status === null) return `its answer is no status (${why})${heard}`;
  const starting = status.plugins.filter((plugin) => plugin.state === 'starting').map(({ name }) => name);
  const parts = [
    starting.length > 0 ? `starts ${starting.join(', ')}` : `up ${describeSeconds(status.uptimeSeconds)}`,
    ...(status.dhcp === null || status.dhcp.mode === 'standby' ? [] : [`boots others (${status.dhcp.mode} DHCP)`]),
    // Nothing that is checked by nobody is to look checked.
    ...(status.secureBoot?.on === true ? ['Secure Boot on (loader and kernel checked, not initrd and words)'] : []),
    ...(status.load.transfers === 0 ? [] : [`sends ${status.load.transfers} boot files`]),
  ];
  return parts.join(', ');
}

/**
 * What is shown of what was seen. Pure.
 * @param more machines that were not asked
 */
export function makeOverview(own: MachineStatus, others: readonly MachineView[], more: number): Overview {
  const self: MachineView = { address: own.address, state: 'up', why: '', heardSeconds: 0, status: own };
  const machines = [self, ...sortByName(others)];
  const inField = new Set(machines.map(({ address }) => address));
  const answering = machines.flatMap(({ state, status }) => (state === 'up' && status !== null ? [status] : []));
  const loading = newestOf(answering.map((status) => status.loading)).filter(({ address }) => !inField.has(address));
  return {
    version: 1,
    machines: machines.map((view) => ({ ...view, says: printable(describeMachine(view)) })),
    loading: loading.map((one) => ({ ...one, says: describeStep(one) })),
    more,
    troubles: findTroubles(machines, loading).map(printable),
  };
}

/** What a machine is called. */
export function nameOf({ status, address }: Pick<MachineView, 'status' | 'address'>): string {
  return status === null || status.hostname === '' ? address : status.hostname;
}

/** `pc-9` before `pc-10`. Without the tables of languages, which the executable has not. */
function sortByName(views: readonly MachineView[]): readonly MachineView[] {
  const keyOf = (view: MachineView) => nameOf(view).replace(/\d+/g, (digits) => digits.padStart(12, '0'));
  const rows = views.map((view) => ({ view, key: keyOf(view) }));
  return rows.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ view }) => view);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 4000;
const isSeconds = (value: unknown) => value === null || (typeof value === 'number' && value >= 0);

function checkView(value: unknown): ShownMachine {
  if (!isRecord(value)) throw new Error('a machine that is none');
  const { address, state, why, says, heardSeconds, status } = value;
  const isState = VIEW_STATES.some((known) => known === state);
  if (!isText(address) || !isState || !isText(why) || !isText(says) || !isSeconds(heardSeconds))
    throw new Error('a machine with an odd state');
  return {
    ...{ address, why, says },
    state: state as MachineView['state'],
    heardSeconds: heardSeconds as number | null,
    status: status === null ? null : checkMachineStatus(status),
  };
}

/**
 * What another program says all machines are.
 * @throws Error when it is nothing of the kind
 */
export function checkOverview(value: unknown): Overview {
  if (!isRecord(value) || value.version !== 1) throw new Error('no overview of version 1');
  const { machines, loading, more, troubles } = value;
  if (!Array.isArray(machines) || !Array.isArray(loading) || !Array.isArray(troubles) || typeof more !== 'number')
    throw new Error('an overview without its parts');
  if (!troubles.every(isText)) throw new Error('troubles that are no text');
  const isShown = (one: unknown) =>
    isRecord(one) &&
    isText(one.address) &&
    isText(one.says) &&
    typeof one.seconds === 'number' &&
    (one.mac === null || isText(one.mac));
  if (!loading.every(isShown)) throw new Error('a loading machine that is none');
  return { version: 1, machines: machines.map(checkView), loading, more, troubles };
}
