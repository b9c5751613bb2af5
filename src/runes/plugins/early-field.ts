import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { isUsable } from '../../net/interfaces.ts';
import { definePlugin } from '../engine/plugin.ts';
import { endProgram, type StartedProgram, startProgram } from '../engine/supervised.ts';
import { isDaemonThere, ownField } from '../own-field.ts';

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

async function hasCard(): Promise<boolean> {
  using network = new Rtnetlink();
  return (await network.links()).some(isUsable);
}

/**
 * Four seconds pass until it is clear that no DHCP server answers, and the field daemon needs one to two until it is
 * there: it comes up meanwhile, and is told its address when there is one.
 */
export default definePlugin({
  name: 'early-field',
  summary: "starts the field daemon of a machine that boots from a medium, before the machine's address is known",
  provides: ['early-field'],
  async start({ machine, defer }) {
    let waiting: StartedProgram | undefined;
    if (machine.image?.path !== undefined && !isDaemonThere() && (await hasCard())) {
      waiting = await startProgram(ownField(machine, '-'), 'pipe');
      // Whoever takes it sees that it has ended.
      waiting.child.stdin?.on('error', () => {});
    }
    defer(async () => {
      if (waiting !== undefined) await endProgram(waiting);
    });
    return {
      'early-field': {
        take: async () => {
          const taken = waiting;
          waiting = undefined;
          const { child } = taken ?? {};
          return child?.exitCode === null && child.signalCode === null ? taken : undefined;
        },
      },
    };
  },
});
