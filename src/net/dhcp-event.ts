/** An event of udhcpc, as the hook passes it on: its name and the lease's variables. */
export interface DhcpEvent {
  /** `deconfig`, `bound`, `renew`, `nak` or `leasefail`. */
  readonly event: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** DHCP answers are below 64 KiB, and so is their text. */
const MAX_EVENT_BYTES = 256 * 1024;

function toEvent(text: string): DhcpEvent {
  const variables: Record<string, string> = {};
  for (const line of text.split('\0')) {
    const equals = line.indexOf('=');
    if (equals > 0) variables[line.slice(0, equals)] = line.slice(equals + 1);
  }
  const { event = '', ...rest } = variables;
  return { event, variables: rest };
}

/**
 * Takes what the hook writes, in pieces of any size: variables each ended by NUL, events by one more NUL.
 * @throws Error when an event does not end
 */
export class DhcpEventReader {
  #pending: Buffer = Buffer.alloc(0);

  push(piece: Uint8Array): DhcpEvent[] {
    this.#pending = Buffer.concat([this.#pending, piece]);
    const events: DhcpEvent[] = [];
    for (let end = this.#pending.indexOf('\0\0'); end >= 0; end = this.#pending.indexOf('\0\0')) {
      events.push(toEvent(this.#pending.toString('utf8', 0, end)));
      this.#pending = this.#pending.subarray(end + 2);
    }
    if (this.#pending.length > MAX_EVENT_BYTES) throw new Error('a DHCP event does not end');
    return events;
  }
}
