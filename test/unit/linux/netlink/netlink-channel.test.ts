import { expect, test } from 'vitest';
import { encode, i32le } from '../../../../src/codec/struct.ts';
import { NetlinkChannel } from '../../../../src/linux/netlink/netlink-channel.ts';
import {
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_F,
  NLMSG,
} from '../../../../src/linux/netlink/netlink-message.ts';
import type { NetlinkSocketOptions, openNetlink } from '../../../../src/linux/netlink/netlink-socket.ts';

interface Kernel {
  readonly channel: NetlinkChannel;
  /** As if the kernel, or with `port` another process, had sent these. */
  say(messages: readonly NetlinkMessage[], port?: number): void;
  sayBytes(bytes: Uint8Array): void;
  overrun(): void;
}

/** A channel whose kernel is `answer`: called with every request. */
function channelTo(answer: (kernel: Kernel, request: NetlinkMessage) => void): Kernel {
  let options: NetlinkSocketOptions | undefined;
  const open: typeof openNetlink = (given) => {
    options = given;
    return {
      port: 4711,
      send: (bytes) => queueMicrotask(() => answer(kernel, decodeMessages(bytes)[0] as NetlinkMessage)),
      addMembership() {},
      keepAlive() {},
      close() {},
      [Symbol.dispose]() {},
    };
  };
  const kernel: Kernel = {
    channel: new NetlinkChannel(0, open),
    say: (messages, port = 0) => options?.onMessage(Buffer.concat(messages.map(encodeMessage)), port),
    sayBytes: (bytes) => options?.onMessage(bytes, 0),
    overrun: () => options?.onOverrun(),
  };
  return kernel;
}

const REQUEST = { op: 'RTM_TEST', target: 'eth7', type: 99, payload: Uint8Array.of(1, 2, 3) };

function ack({ sequence }: NetlinkMessage, errno = 0): NetlinkMessage {
  return { type: NLMSG.ERROR, flags: 0, sequence, payload: encode(i32le, -errno || 0) };
}

function part({ sequence }: NetlinkMessage, value: number, flags = NLM_F.MULTI as number): NetlinkMessage {
  return { type: 20, flags, sequence, payload: Uint8Array.of(value) };
}

function done({ sequence }: NetlinkMessage): NetlinkMessage {
  return { type: NLMSG.DONE, flags: NLM_F.MULTI, sequence, payload: encode(i32le, 0) };
}

const values = (replies: readonly NetlinkMessage[]) => replies.map(({ payload }) => payload[0]);

test('an acknowledged request gives what was replied before', async () => {
  const { channel } = channelTo((kernel, request) => {
    expect(request).toMatchObject({ type: 99, flags: NLM_F.REQUEST | NLM_F.ACK, payload: REQUEST.payload });
    kernel.say([part(request, 7, 0)]);
    kernel.say([ack(request)]);
  });
  expect(values(await channel.request(REQUEST))).toEqual([7]);
});

test('a refusal is a SyscallError of the request', async () => {
  const { channel } = channelTo((kernel, request) => kernel.say([ack(request, 17)]));
  await expect(channel.request(REQUEST)).rejects.toThrow('RTM_TEST eth7: EEXIST (File exists)');
});

test('answers find their requests in any order', async () => {
  const requests: NetlinkMessage[] = [];
  const { channel } = channelTo((kernel, request) => {
    requests.push(request);
    if (requests.length === 2)
      for (const each of requests.toReversed()) kernel.say([part(each, each.sequence), ack(each)]);
  });
  const both = await Promise.all([channel.request(REQUEST), channel.request(REQUEST)]);
  expect(both.map(values)).toEqual(requests.map(({ sequence }) => [sequence]));
});

test('no answer is ETIMEDOUT, and an answer after that is not taken for another', async () => {
  const late: NetlinkMessage[] = [];
  const { channel } = channelTo((kernel, request) => {
    if (late.push(request) === 2)
      kernel.say([part(late[0] as NetlinkMessage, 1), ack(late[0] as NetlinkMessage), part(request, 2), ack(request)]);
  });
  await expect(channel.request({ ...REQUEST, timeoutMs: 5 })).rejects.toThrow('RTM_TEST eth7: ETIMEDOUT');
  expect(values(await channel.request(REQUEST))).toEqual([2]);
});

test('what other processes send is not heard', async () => {
  const { channel } = channelTo((kernel, request) => {
    kernel.say([ack(request)], 1234);
    kernel.say([part(request, 1), ack(request)]);
  });
  expect(values(await channel.request(REQUEST))).toEqual([1]);
});

test('a list that changed while it was read is read again', async () => {
  let dumps = 0;
  const { channel } = channelTo((kernel, request) => {
    dumps++;
    expect(request.flags & NLM_F.DUMP).toBe(NLM_F.DUMP);
    kernel.say([part(request, dumps, dumps < 3 ? NLM_F.MULTI | NLM_F.DUMP_INTERRUPTED : NLM_F.MULTI)]);
    kernel.say([part(request, 10), done(request)]);
  });
  expect(values(await channel.dump(REQUEST))).toEqual([3, 10]);
});

test('lost messages fail what waits for them, at once', async () => {
  const { channel } = channelTo((kernel) => kernel.overrun());
  await expect(channel.request(REQUEST)).rejects.toThrow('RTM_TEST eth7: ENOBUFS');
});

test('a broken message ends the channel with its reason', async () => {
  const { channel } = channelTo((kernel) => kernel.sayBytes(Uint8Array.of(255, 0, 0, 0, 1)));
  await expect(channel.request(REQUEST)).rejects.toThrow('netlink protocol 0: broken message');
  await expect(channel.request(REQUEST)).rejects.toThrow('broken message');
});

test('a closed channel says so', async () => {
  const { channel } = channelTo(() => {});
  const waiting = channel.request(REQUEST);
  channel.close();
  await expect(waiting).rejects.toThrow('closed');
});
