import { writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import { definePlugin } from '../engine/plugin.ts';
import { healthSystem, whyNotHealthy } from '../health/check-health.ts';
import { type Health, healthOf } from '../health/health.ts';
import { readBoot } from '../own-status.ts';
import { HEALTHY_FILE } from '../places.ts';

const AGAIN_MS = 3000;
/** After /init handed over, as its watch counts (init/health-watch.ts). A new version that takes longer is taken for broken. */
const HEALTHY_WITHIN_SECONDS = 300;
/** A machine that these do not run on cannot be reached, or gives nothing to others. */
const WANTED = ['address', 'http', 'field'];

export default definePlugin({
  name: 'health',
  summary: 'says whether the system has come up well: its services, /etc/viver/healthy.d, boot-complete.target',
  requires: ['http'],
  uses: ['field'],
  async start(context) {
    let health: Health = healthOf('starting', 'not looked at yet');
    await context.ask('http').publish('health', () => health);
    const down = () =>
      context
        .plugins()
        .filter(({ name, state }) => WANTED.includes(name) && state !== 'running')
        .map(({ name }) => name);
    const system = healthSystem(down);
    // a slow network may take minutes of the boot, which are not the new version's
    const lateAt = (readBoot()?.seconds ?? 0) + HEALTHY_WITHIN_SECONDS;
    const look = async (): Promise<void> => {
      while (!context.signal.aborted) {
        const why = await whyNotHealthy(system).catch(describeError);
        const isLate = uptime() > lateAt;
        const last = health;
        health = why === undefined ? healthOf('healthy') : healthOf(isLate ? 'failed' : 'starting', why);
        if (why === undefined) {
          // who waits for it (init/health-watch.ts) leaves the machine running
          writeFileSync(HEALTHY_FILE, '');
          context.log('this machine is healthy');
          return;
        }
        if (health.state === 'failed' && last.state !== 'failed') context.log(`this machine is not healthy: ${why}`);
        await sleep(AGAIN_MS, undefined, { signal: context.signal });
      }
    };
    look().catch((error: unknown) => {
      if (!context.signal.aborted) context.fail(new Error(describeError(error), { cause: error }));
    });
    return {};
  },
});
