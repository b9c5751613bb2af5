/** Whether a machine's system has come up well, as it says itself (plugins/health.ts). Pure. */
export interface Health {
  readonly state: 'starting' | 'healthy' | 'failed';
  /** What is waited for, or what is wrong; empty when it is healthy. */
  readonly why: string;
}

export const HEALTH_STATES: readonly Health['state'][] = ['starting', 'healthy', 'failed'];
const LONGEST_WHY = 300;

export function healthOf(state: Health['state'], why = ''): Health {
  return { state, why: why.slice(0, LONGEST_WHY) };
}

/** Whether what another machine says is one. */
export function isHealth(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { state, why } = value as Partial<Record<'state' | 'why', unknown>>;
  return HEALTH_STATES.some((known) => known === state) && typeof why === 'string' && why.length <= LONGEST_WHY;
}
