import { Alarm } from './edge/alarm.ts';
import type { Faults } from './edge/faults.ts';
import type { Action, FieldEvent } from './event.ts';
import type { FieldMachine } from './machine.ts';

export interface TurnHandlers {
  /** May throw: that costs this one action. */
  readonly do: (action: Action) => void;
  /** An event has been handled, and what follows from it done. */
  readonly over: (event: FieldEvent) => void;
}

/** Gives a machine one event after the other, has done what it wants, and wakes it when it wants to be. */
export class Turns {
  readonly #machine: FieldMachine;
  readonly #faults: Faults;
  readonly #handlers: TurnHandlers;
  readonly #queue: FieldEvent[] = [];
  readonly #alarm = new Alarm(() => this.feed({ kind: 'wake' }));
  #isRunning = false;
  #isArming = false;
  #isStopped = false;

  constructor(machine: FieldMachine, faults: Faults, handlers: TurnHandlers) {
    this.#machine = machine;
    this.#faults = faults;
    this.#handlers = handlers;
  }

  /** What happens while another event is handled comes after it. */
  feed(event: FieldEvent): void {
    if (this.#isStopped) return;
    this.#queue.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#handle(next);
    this.#isRunning = false;
    // Once for all that is taken in one turn.
    if (this.#isArming) return;
    this.#isArming = true;
    queueMicrotask(() => this.#arm());
  }

  /** An action could not be carried out, as turned out later. */
  failed(action: Action, error: unknown): void {
    this.#faults.doing(action, error);
  }

  stop(): void {
    this.#isStopped = true;
    this.#alarm.stop();
  }

  #handle(event: FieldEvent): void {
    let actions: readonly Action[] = [];
    try {
      actions = this.#machine.handle(event, performance.now());
      if (event.kind === 'wake') this.#faults.wentWell();
    } catch (error) {
      this.#faults.at(event, error);
    }
    for (const action of actions) this.#try(action);
    this.#handlers.over(event);
  }

  /** What cannot be done costs that one action: a message is not sent, a chunk not given. */
  #try(action: Action): void {
    try {
      this.#handlers.do(action);
    } catch (error) {
      this.#faults.doing(action, error);
    }
  }

  #arm(): void {
    this.#isArming = false;
    if (!this.#isStopped) this.#alarm.set(this.#machine.nextWake());
  }
}
