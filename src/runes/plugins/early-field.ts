import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus } from '../../field/control.ts';
import { describeError } from '../../linux/describe-error.ts';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { isUsable } from '../../net/interfaces.ts';
import { definePlugin } from '../engine/plugin.ts';
import { type StartedProgram, startProgram } from '../engine/supervised.ts';
import { WaitingProgram } from '../engine/waiting-program.ts';
import { isDaemonThere, ownField } from '../own-field.ts';
import { FIELD_SOCKET } from '../places.ts';

/** Between this plugin and `field` only: it is no part of the interfaces for plugins of one's own. */
interface EarlyField {
  /**
   * The daemon that was started before there was an address, once: whoever takes it tells it where to listen, by a line
   * on its standard input, and looks after it. undefined: there is none, or none any more.
   */
  take(): Promise<StartedProgram | undefined>;
}

declare module '../engine/interfaces.ts' {
  interface Interfaces {
    'early-field': EarlyField;
  }
}

/** Twice the time after which a machine with a cable has an address, whatever it waits for before. */
const PATIENCE_MS = 60_000;

/** RUNES begins while udev still looks for drivers: the first card may be there some seconds later. */
const CARD_PATIENCE_MS = 15_000;
const CARD_POLL_MS = 200;

/** @returns whether there is one within that time */
async function cardComes(signal: AbortSignal): Promise<boolean> {
  using network = new Rtnetlink();
  const endMs = performance.now() + CARD_PATIENCE_MS;
  while (!(await network.links()).some(isUsable)) {
    if (performance.now() > endMs) return false;
    await sleep(CARD_POLL_MS, undefined, { signal });
  }
  return true;
}

/** Of /init, or one that a `viver runes` which died has left: `field` will find it, and take no other. */
async function isFieldThere(): Promise<boolean> {
  if (isDaemonThere()) return true;
  return await askStatus(FIELD_SOCKET).then(
    () => true,
    () => false,
  );
}

/**
 * Four seconds pass until it is clear that no DHCP server answers, and the field daemon needs one to two until it is
 * there: it comes up meanwhile, and is told its address when there is one.
 */
export default definePlugin({
  name: 'early-field',
  summary: "starts the field daemon of a machine that boots from a medium, before the machine's address is known",
  provides: ['early-field'],
  async start({ machine, defer, log, signal: stopped }) {
    /** Whoever asks for it before there is one starts one himself. */
    const asked = new AbortController();
    const signal = AbortSignal.any([stopped, asked.signal]);
    let waiting: WaitingProgram | undefined;
    const begin = async (): Promise<void> => {
      if (machine.image?.path === undefined || !(await cardComes(signal)) || (await isFieldThere())) return;
      signal.throwIfAborted();
      waiting = new WaitingProgram(await startProgram(ownField(machine, '-'), 'pipe'), PATIENCE_MS, log);
    };
    const begun = begin().catch((error: unknown) => {
      if (!signal.aborted) log(`none before the address is known: ${describeError(error)}`);
    });
    defer(async () => {
      await begun;
      await waiting?.end();
    });
    const take = async (): Promise<StartedProgram | undefined> => {
      asked.abort();
      await begun;
      return waiting?.take();
    };
    return { 'early-field': { take } };
  },
});
