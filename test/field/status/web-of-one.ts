import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineStatus } from '../../../src/runes/machine-status.ts';
import { StatusRoutes } from '../../../src/runes/web/status-routes.ts';
import { WebServer } from '../../../src/runes/web/web-server.ts';

export interface WebOfOne extends AsyncDisposable {
  readonly port: number;
  /** Paths that were asked for. */
  readonly asked: string[];
  readonly server: WebServer;
}

/** The web server of a machine that says this of itself, as the plugin `http` makes it. */
/** @param paceMs waited before each look around: a browser on a clock of its own asks again at once */
export async function webOf(status: () => MachineStatus, paceMs = 0, password?: string): Promise<WebOfOne> {
  const asked: string[] = [];
  const routes = new StatusRoutes({
    ...{ address: '', status: async () => status(), sentBytes: () => 0 },
    field: async () => status().field ?? undefined,
    ...(password === undefined ? {} : { password }),
  });
  const server = new WebServer({
    log: (line) => void process.stderr.write(`${line}\n`),
    async answer(path, query, from, authorization) {
      asked.push(path);
      if (path === '/machines.json' && paceMs > 0) await sleep(paceMs);
      return await routes.answer(path, query, from, authorization);
    },
  });
  const port = await server.listen('127.0.0.1', 0);
  return { port, asked, server, [Symbol.asyncDispose]: () => server.close() };
}
