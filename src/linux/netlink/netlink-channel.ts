import { hasCode, SyscallError } from '../errno.ts';
import { decodeErrno, decodeMessages, encodeMessage, type NetlinkMessage, NLM_F, NLMSG } from './netlink-message.ts';
import { type NetlinkSocket, openNetlink } from './netlink-socket.ts';

const DEFAULT_TIMEOUT_MS = 5_000;
/** A dump that others change meanwhile is asked for again. */
const DUMP_ATTEMPTS = 10;
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

export interface NetlinkRequest {
  /** What is done and on what, for errors: `RTM_NEWADDR`, `eth0`. */
  readonly op: string;
  readonly target: string;
  readonly type: number;
  /** Of NLM_F, beside REQUEST and ACK. */
  readonly flags?: number;
  readonly payload: Uint8Array;
  /** Default 5000. */
  readonly timeoutMs?: number;
}

interface MessageHandlers {
  readonly open: typeof openNetlink;
  readonly protocol: number;
  readonly onMessage: (messages: NetlinkMessage[]) => void;
  readonly onOverrun: () => void;
  readonly onError: (error: Error) => void;
}

/** A socket that only the kernel is heard on. Does not keep the process alive. */
function openMessages({ open, protocol, onMessage, onOverrun, onError }: MessageHandlers): NetlinkSocket {
  const socket = open({
    protocol,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    onMessage(bytes, sender) {
      if (sender !== 0) return;
      let messages: NetlinkMessage[];
      try {
        messages = decodeMessages(bytes);
      } catch (error) {
        return onError(new Error(`netlink protocol ${protocol}: broken message`, { cause: error }));
      }
      onMessage(messages);
    },
    onOverrun,
    onError,
  });
  socket.keepAlive(false);
  return socket;
}

export interface NetlinkListener {
  readonly onMessage: (message: NetlinkMessage) => void;
  /** Notifications were lost: ask for the whole state anew. */
  readonly onOverrun: () => void;
  /** Nothing more will come. */
  readonly onError: (error: Error) => void;
}

/** Hears the notifications of multicast groups until `signal` aborts. */
export function listenNetlink(
  protocol: number,
  groups: readonly number[],
  listener: NetlinkListener,
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  const socket = openMessages({
    open: openNetlink,
    protocol,
    onMessage: (messages) => messages.forEach(listener.onMessage),
    onOverrun: listener.onOverrun,
    onError: listener.onError,
  });
  for (const group of groups) socket.addMembership(group);
  signal.addEventListener('abort', () => socket.close(), { once: true });
}

interface Waiting {
  readonly op: string;
  readonly target: string;
  readonly replies: NetlinkMessage[];
  readonly resolve: (replies: NetlinkMessage[]) => void;
  readonly reject: (error: Error) => void;
}

const EINTR = 4;
const ENOBUFS = 105;
const ETIMEDOUT = 110;

/**
 * Requests to the kernel, each with its replies. Notifications have a socket of their own (listenNetlink): those caused
 * by a request carry its sequence number and would be taken for replies.
 */
export class NetlinkChannel {
  readonly #socket: NetlinkSocket;
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;
  #failure: Error | undefined;

  /** `open` is there for tests. */
  constructor(protocol: number, open = openNetlink) {
    this.#socket = openMessages({
      open,
      protocol,
      onMessage: (messages) => {
        for (const message of messages) this.#receive(message);
      },
      onOverrun: () => this.#overrun(),
      onError: (error) => this.#fail(error),
    });
  }

  /**
   * Sends and waits for the acknowledgement.
   * @returns what the kernel replied before it: nothing for most changes
   * @throws SyscallError with the kernel's errno; ETIMEDOUT when it does not answer
   */
  async request(request: NetlinkRequest): Promise<NetlinkMessage[]> {
    if (this.#failure !== undefined) throw this.#failure;
    const { op, target, type, flags = 0, payload, timeoutMs = DEFAULT_TIMEOUT_MS } = request;
    this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
    const sequence = this.#sequence;
    const { promise, resolve, reject } = Promise.withResolvers<NetlinkMessage[]>();
    const timer = setTimeout(() => reject(new SyscallError(op, target, ETIMEDOUT)), timeoutMs);
    this.#waiting.set(sequence, { op, target, replies: [], resolve, reject });
    try {
      this.#socket.send(encodeMessage({ type, flags: flags | NLM_F.REQUEST | NLM_F.ACK, sequence, payload }));
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(sequence);
    }
  }

  /** All objects of a kind. Asked for again while others change it, so that what comes back was so at one moment. */
  async dump(request: NetlinkRequest): Promise<NetlinkMessage[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.request({ ...request, flags: (request.flags ?? 0) | NLM_F.DUMP });
      } catch (error) {
        if (attempt === DUMP_ATTEMPTS || !hasCode(error, 'EINTR')) throw error;
      }
    }
  }

  close(): void {
    this.#fail(new Error('the netlink channel is closed'));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(message: NetlinkMessage): void {
    const waiting = this.#waiting.get(message.sequence);
    // An answer that came after its time.
    if (waiting === undefined) return;
    const { op, target, replies, resolve, reject } = waiting;
    const interrupted = (message.flags & NLM_F.DUMP_INTERRUPTED) !== 0;
    if (message.type === NLMSG.ERROR || message.type === NLMSG.DONE) {
      const errno = interrupted ? EINTR : decodeErrno(message);
      if (errno !== 0) reject(new SyscallError(op, target, errno));
      else resolve(replies);
    } else if (interrupted) {
      reject(new SyscallError(op, target, EINTR));
    } else if (message.type !== NLMSG.NOOP) {
      replies.push(message);
    }
  }

  #overrun(): void {
    for (const { op, target, reject } of this.#waiting.values()) reject(new SyscallError(op, target, ENOBUFS));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.close();
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
  }
}
