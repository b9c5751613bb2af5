import { describeStep, type LoadingMachine } from './boot-progress.ts';
import { type MachineView, nameOf } from './overview.ts';

/** More names than this are counted. */
const MOST_NAMES = 6;
/** A step takes seconds on a quick wire and two minutes on a slow one; without a byte for so long something is wrong. */
const STUCK_SECONDS = 60;

/** Bytes that are nobody's fault: programs that look for open ports send a little to each. */
const STRAY_BYTES = 64 << 10;

const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);

function list(names: readonly string[]): string {
  if (names.length === 1) return names[0] ?? '';
  const shown = names.slice(0, MOST_NAMES);
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** Names by what they have in common, in the order of the first of each. */
function grouped(rows: readonly (readonly [common: string, name: string])[]): readonly (readonly [string, string[]])[] {
  const groups = new Map<string, string[]>();
  for (const [common, name] of rows) groups.set(common, [...(groups.get(common) ?? []), name]);
  return [...groups];
}

function ofRedundancy([own, ...others]: readonly MachineView[]): readonly string[] {
  const field = own?.status?.field ?? null;
  if (field === null || field.image.chunks === 0) return [];
  if (field.redundancy.min === 0)
    return ['Parts of the image are on no machine: who reads them waits until a machine that has them is back.'];
  if (field.redundancy.min >= 2 || others.length === 0) return [];
  const whole = [own, ...others].filter((view) => view?.status?.field?.node.held === field.image.chunks);
  const [only] = whole;
  return only !== undefined && whole.length === 1
    ? [`Parts of the image are on ${nameOf(only)} only: leave it on until every part is held twice.`]
    : ['Parts of the image are on one machine only: switch none off until every part is held twice.'];
}

function ofAnswers(views: readonly MachineView[]): readonly string[] {
  const silent = views.filter(({ state }) => state === 'silent').map(nameOf);
  const broken = views.filter(({ state }) => state === 'broken').map((view) => [view.why, nameOf(view)] as const);
  return [
    ...(silent.length === 0 ? [] : [`${list(silent)} ${plural(silent.length, 'does', 'do')} not answer.`]),
    ...grouped(broken).map(
      ([why, names]) =>
        `${list(names)}: what ${plural(names.length, 'it answers', 'they answer')} is no status (${why}).`,
    ),
  ];
}

function ofPlugins(up: readonly MachineView[]): readonly string[] {
  const rows = up.flatMap((view) =>
    (view.status?.plugins ?? [])
      .filter(({ state }) => state === 'failed' || state === 'waiting')
      .map(
        ({ name, state, why }) =>
          [
            `plugin ${name} ${state === 'failed' ? 'failed' : 'waits'}${why === undefined ? '' : `: ${why}`}`,
            nameOf(view),
          ] as const,
      ),
  );
  return grouped(rows).map(([what, names]) => `${list(names)}: ${what}`);
}

function ofServing(up: readonly MachineView[]): readonly string[] {
  const withDhcp = up.filter(({ status }) => status?.dhcp !== null && status?.dhcp !== undefined);
  const serving = withDhcp.filter(({ status }) => status?.dhcp?.mode !== 'standby');
  if (serving.length > 1)
    return [
      `${list(serving.map(nameOf))} boot others at the same time; that does no harm, and one of them stops soon.`,
    ];
  if (serving.length === 1 || withDhcp.length === 0) return [];
  const why = [...new Set(withDhcp.map(({ status }) => status?.dhcp?.why ?? ''))];
  return [`No machine boots others now: ${why[0]}${why.length > 1 ? ', among other reasons' : ''}.`];
}

function ofVersions([own, ...others]: readonly MachineView[]): readonly string[] {
  const mine = own?.status?.viver ?? null;
  const rows = others
    .filter(({ state, status }) => state === 'up' && status !== null && status.viver !== mine)
    .map((view) => [view.status?.viver ?? 'an older one', nameOf(view)] as const);
  return grouped(rows).map(
    ([version, names]) =>
      `${list(names)} ${plural(names.length, 'runs', 'run')} another VIVER than this machine: ${version}, here ${mine}.`,
  );
}

/** Who sends machines to an image that one of them failed with; several servers may say the same. */
function ofRolls(up: readonly MachineView[]): readonly string[] {
  const stopped = up.flatMap(({ status }) =>
    (status?.rolls ?? []).flatMap(({ name, version, stopped: why }) =>
      why === null ? [] : [`The roll-out of ${name} ${version} has stopped: ${why}.`],
    ),
  );
  return [...new Set(stopped)];
}

function ofHealth(up: readonly MachineView[]): readonly string[] {
  const rows = up.flatMap((view) => {
    const { health } = view.status ?? {};
    return health?.state === 'failed' ? [[health.why, nameOf(view)] as const] : [];
  });
  return grouped(rows).map(
    ([why, names]) => `${list(names)} ${plural(names.length, 'has', 'have')} not come up well: ${why}`,
  );
}

function ofField(up: readonly MachineView[]): readonly string[] {
  return up.flatMap((view) => {
    const { traffic, shutOut = [] } = view.status?.field ?? {};
    const rejected = traffic?.rejected ?? 0;
    return [
      ...(rejected > STRAY_BYTES
        ? [`${nameOf(view)} was given ${(rejected / 1e6).toFixed(1)} MB that are not the image's, and refused them.`]
        : []),
      ...shutOut.map(({ id, reason }) => `${nameOf(view)} has shut out the machine ${id}: ${reason}`),
    ];
  });
}

function ofLoading(loading: readonly LoadingMachine[]): readonly string[] {
  return loading
    .filter(({ silentSeconds }) => silentSeconds >= STUCK_SECONDS)
    .map((one) => {
      const { address, mac, silentSeconds } = one;
      return `${address}${mac === null ? '' : ` (${mac})`} was heard ${silentSeconds} s ago last: it ${describeStep(one)}.`;
    });
}

/** What is wrong, the worst first, each in a sentence. Pure. The first view is of the machine that looks. */
export function findTroubles(views: readonly MachineView[], loading: readonly LoadingMachine[]): readonly string[] {
  const up = views.filter(({ state, status }) => state === 'up' && status !== null);
  return [
    ...ofRedundancy(views),
    ...ofAnswers(views),
    ...ofServing(up),
    ...ofRolls(up),
    ...ofHealth(up),
    ...ofPlugins(up),
    ...ofField(up),
    ...ofLoading(loading),
    ...ofVersions(views),
  ];
}
