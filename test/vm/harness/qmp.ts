import type { Duplex } from 'node:stream';

/** QEMU Machine Protocol, docs/interop/qmp-spec.txt: one JSON object a line. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

type Answer = { resolve: (value: unknown) => void; reject: (error: Error) => void; command: string };

export class Qmp {
  readonly events: QmpEvent[] = [];
  readonly #socket: Duplex;
  readonly #waiting: Answer[] = [];
  readonly #onEvent: (event: QmpEvent) => void;
  readonly ready: Promise<unknown>;
  #text = '';

  constructor(socket: Duplex, onEvent: (event: QmpEvent) => void) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes.toString('utf8')));
    socket.on('error', (error: Error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('QEMU closed QMP')));
    this.ready = this.command('qmp_capabilities');
  }

  /** Sends one command; rejects with QEMU's own words when it refuses, or when QEMU goes away first. */
  command(execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject, command: execute });
      this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    });
  }

  #receive(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#message(JSON.parse(line));
  }

  #message(message: Record<string, unknown>): void {
    if (typeof message.event === 'string') {
      const event = { event: message.event, data: (message.data ?? {}) as Record<string, unknown> };
      this.events.push(event);
      this.#onEvent(event);
    } else if ('return' in message) {
      this.#waiting.shift()?.resolve(message.return);
    } else if ('error' in message) {
      const answer = this.#waiting.shift();
      const { desc } = message.error as { desc?: string };
      answer?.reject(new Error(`QMP ${answer.command}: ${desc ?? 'refused'}`));
    }
  }

  #end(cause: Error): void {
    for (const answer of this.#waiting.splice(0)) {
      answer.reject(new Error(`QMP ${answer.command}: no answer`, { cause }));
    }
  }
}
