import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveControl } from '../../field/control.ts';
import { readPublicKeys } from '../../image/signature.ts';
import { describeError } from '../../linux/describe-error.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { keptFile } from '../kept-program.ts';
import { ROLL_SOCKET, RUN_DIRECTORY, SIGNING_KEYS } from '../places.ts';
import { RollBook } from '../roll/book.ts';
import { RELEASES_PATH, RollDesk } from '../roll/desk.ts';
import { MOST_WORDS, PATIENCE_MS } from '../roll/known.ts';
import { startAnew } from '../roll/start-anew.ts';
import { viewOf } from '../roll/view.ts';

type Needs = Context<'http' | 'address' | 'field' | 'images' | 'dhcp'>;

const WATCH_MS = 2000;
const GATHER_MS = 10_000;

async function again(context: Needs, everyMs: number, what: string, step: () => Promise<void>): Promise<void> {
  while (!context.signal.aborted) {
    await step().catch((error: unknown) => {
      if (!context.signal.aborted) context.log(`${what}: ${describeError(error)}`);
    });
    await sleep(everyMs, undefined, { signal: context.signal }).catch(() => undefined); // it is stopped
  }
}

export default definePlugin({
  name: 'roll',
  summary: 'roll-outs: which image the machines that boot by network get, by releases; who fails gets the old one',
  requires: ['http', 'address'],
  uses: ['field', 'images', 'dhcp'],
  async start(context) {
    const http = context.ask('http');
    const network = await context.ask('address').network();
    const keys = keptFile(SIGNING_KEYS);
    const book = new RollBook({
      keys: existsSync(keys) ? await readPublicKeys(keys) : [],
      file: `${RUN_DIRECTORY}/roll.json`,
      log: context.log,
    });
    const images = async () => (context.has('images') ? await context.ask('images').list() : []);
    const desk = new RollDesk({
      ...{ book, network, images, machine: context.machine, role: context.role, log: context.log },
      dhcp: async () => (context.has('dhcp') ? await context.ask('dhcp').mode() : undefined),
      field: async () => (context.has('field') ? await context.ask('field').status() : undefined),
      offer: async (path) => {
        if (!context.has('images')) throw new Error("this machine's role has no plugin that offers images");
        const image = await context.ask('images').add(path);
        offered = await images();
        return image;
      },
      startAnew: (why) => startAnew(context, network.mac, why),
      offeredFile: `${RUN_DIRECTORY}/roll-images`,
    });
    await desk.readMedium();
    await desk.offerAgain();
    let offered = await images();
    await http.publish('images', () => offered);
    await http.publish('rolls', () => book.lines.map((line) => viewOf(line, book.nowSeconds)));
    await http.answer(RELEASES_PATH, async () => desk.releases());
    await http.steer(desk.steering);
    const control = await serveControl(ROLL_SOCKET, (words) => desk.answer(words), {
      words: MOST_WORDS,
      patienceMs: PATIENCE_MS,
    });
    context.defer(() => void control.close());
    context.defer(() => book.save());
    void again(context, WATCH_MS, 'watching', () => desk.watch());
    void again(context, GATHER_MS, 'asking for releases', () => desk.gather());
    return {};
  },
});
