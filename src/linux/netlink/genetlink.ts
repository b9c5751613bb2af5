import { decode, encode, padding, struct, u8 } from '../../codec/struct.ts';
import { listenNetlink, NetlinkChannel } from './netlink-channel.ts';
import { type Attribute, AttributeReader, attribute, encodeAttributes } from './netlink-message.ts';
import { NETLINK } from './netlink-socket.ts';

/** include/uapi/linux/genetlink.h */
const GENL_ID_CTRL = 0x10;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR = { FAMILY_ID: 1, FAMILY_NAME: 2, VERSION: 3, MCAST_GROUPS: 7 } as const;
const CTRL_ATTR_MCAST_GRP = { NAME: 1, ID: 2 } as const;

const genlHeader = struct('genlmsghdr', [
  ['command', u8],
  ['version', u8],
  ['reserved', padding(2)],
]);

export interface GenetlinkFamily {
  readonly name: string;
  readonly id: number;
  readonly version: number;
  /** Multicast groups: name to number. */
  readonly groups: ReadonlyMap<string, number>;
}

export interface GenetlinkMessage {
  readonly command: number;
  readonly attributes: AttributeReader;
}

export interface GenetlinkRequest {
  /** For errors: `NBD_CMD_CONNECT`, `/dev/nbd0`. */
  readonly op: string;
  readonly target: string;
  readonly family: GenetlinkFamily;
  readonly command: number;
  readonly attributes?: readonly Attribute[];
  /** Default 5000. */
  readonly timeoutMs?: number;
}

export interface GenetlinkListener {
  readonly onMessage: (message: GenetlinkMessage) => void;
  /** Messages were lost: ask for the whole state anew. */
  readonly onOverrun: () => void;
  readonly onError: (error: Error) => void;
}

function encodePayload(command: number, version: number, attributes: readonly Attribute[]): Uint8Array {
  return Buffer.concat([encode(genlHeader, { command, version }), encodeAttributes(attributes)]);
}

function decodePayload(payload: Uint8Array): GenetlinkMessage {
  const { command } = decode(genlHeader, payload);
  return { command, attributes: new AttributeReader(payload.subarray(genlHeader.size)) };
}

function familyOf(name: string, attributes: AttributeReader): GenetlinkFamily {
  const groups = attributes.list(CTRL_ATTR.MCAST_GROUPS).flatMap((group): [string, number][] => {
    const groupName = group.text(CTRL_ATTR_MCAST_GRP.NAME);
    const id = group.u32(CTRL_ATTR_MCAST_GRP.ID);
    return groupName === undefined || id === undefined ? [] : [[groupName, id]];
  });
  return {
    name,
    id: attributes.u16(CTRL_ATTR.FAMILY_ID) ?? 0,
    version: attributes.u32(CTRL_ATTR.VERSION) ?? 1,
    groups: new Map(groups),
  };
}

/** Generic netlink: a driver's own commands under the name of a family, such as `nbd`. */
export class Genetlink {
  readonly #channel = new NetlinkChannel(NETLINK.GENERIC);

  /** @throws SyscallError with ENOENT when no driver with that family is loaded */
  async resolveFamily(name: string): Promise<GenetlinkFamily> {
    const [reply] = await this.#channel.request({
      op: 'CTRL_CMD_GETFAMILY',
      target: name,
      type: GENL_ID_CTRL,
      payload: encodePayload(CTRL_CMD_GETFAMILY, 1, [attribute.text(CTRL_ATTR.FAMILY_NAME, name)]),
    });
    if (reply === undefined) throw new Error(`CTRL_CMD_GETFAMILY ${name}: no answer before the acknowledgement`);
    return familyOf(name, decodePayload(reply.payload).attributes);
  }

  /**
   * Sends a command and waits for its acknowledgement.
   * @returns what the driver replied before it
   * @throws SyscallError with the driver's errno; ETIMEDOUT when it does not answer
   */
  async request(request: GenetlinkRequest): Promise<GenetlinkMessage[]> {
    const { family, command, attributes = [], ...rest } = request;
    const payload = encodePayload(command, family.version, attributes);
    const replies = await this.#channel.request({ ...rest, type: family.id, payload });
    return replies.map((reply) => decodePayload(reply.payload));
  }

  /** Hears a multicast group of the family until `signal` aborts. */
  listen(family: GenetlinkFamily, groupName: string, listener: GenetlinkListener, signal: AbortSignal): void {
    const group = family.groups.get(groupName);
    if (group === undefined) throw new Error(`generic netlink family ${family.name} has no group ${groupName}`);
    listenNetlink(
      NETLINK.GENERIC,
      [group],
      { ...listener, onMessage: (message) => listener.onMessage(decodePayload(message.payload)) },
      signal,
    );
  }

  close(): void {
    this.#channel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
