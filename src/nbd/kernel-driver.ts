import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hasCode } from '../linux/errno.ts';
import { Genetlink, type GenetlinkFamily, type GenetlinkMessage } from '../linux/netlink/genetlink.ts';
import { type Attribute, type AttributeReader, attribute } from '../linux/netlink/netlink-message.ts';

/** include/uapi/linux/nbd-netlink.h */
const COMMAND = { CONNECT: 1, DISCONNECT: 2, RECONFIGURE: 3, STATUS: 5 } as const;
const ATTR = {
  INDEX: 1,
  SIZE_BYTES: 2,
  BLOCK_SIZE_BYTES: 3,
  TIMEOUT: 4,
  SERVER_FLAGS: 5,
  CLIENT_FLAGS: 6,
  SOCKETS: 7,
  DEAD_CONN_TIMEOUT: 8,
  DEVICE_LIST: 9,
  BACKEND_IDENTIFIER: 10,
} as const;
const SOCK_ITEM = 1;
const SOCK_FD = 1;
const DEVICE = { INDEX: 1, CONNECTED: 2 } as const;

/** What a device is connected with. Times in seconds. */
export interface ConnectRequest {
  /** Undefined: the kernel takes the first free device, or makes one. */
  readonly index: number | undefined;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** EXPORT_FLAG bits. */
  readonly flags: number;
  /** Kept by the kernel as the device's `backend`, and asked for again by reconfigure. */
  readonly identifier: string;
  /** How long I/O waits for a new socket when the socket is dead, before it fails. */
  readonly deadConnectionSeconds: number;
  /** A connected stream socket. The kernel takes a reference of its own. */
  readonly fd: number;
}

export interface NbdDeviceStatus {
  readonly index: number;
  readonly connected: boolean;
}

export interface QueueValues {
  /** After so many milliseconds in flight the kernel looks at a request again. */
  readonly io_timeout: number;
  /** Longest request, in KiB. */
  readonly max_sectors_kb: number;
}

/** The kernel's nbd driver, as kernel-device.ts uses it; tests put a function table in its place. */
export interface NbdDriver {
  /** @returns the device's index */
  connect(request: ConnectRequest): Promise<number>;
  /** Gives a device whose socket is dead a new one. What was in flight is sent again. */
  reconfigure(index: number, identifier: string, fd: number): Promise<void>;
  disconnect(index: number): Promise<void>;
  status(): Promise<NbdDeviceStatus[]>;
  /** The identifier a connected device was made with; undefined when it has none. */
  backendOf(index: number): string | undefined;
  /** Sets a value of the device's /sys/block/nbdN/queue (Documentation/ABI/stable/sysfs-block). */
  setQueue(index: number, values: QueueValues): void;
  close(): void;
}

export function connectAttributes(request: ConnectRequest): Attribute[] {
  const { index } = request;
  return [
    ...(index === undefined ? [] : [attribute.u32(ATTR.INDEX, index)]),
    attribute.u64(ATTR.SIZE_BYTES, request.sizeBytes),
    attribute.u64(ATTR.BLOCK_SIZE_BYTES, request.blockBytes),
    attribute.u64(ATTR.TIMEOUT, 0),
    attribute.u64(ATTR.SERVER_FLAGS, request.flags),
    attribute.u64(ATTR.CLIENT_FLAGS, 0),
    attribute.u64(ATTR.DEAD_CONN_TIMEOUT, request.deadConnectionSeconds),
    attribute.text(ATTR.BACKEND_IDENTIFIER, request.identifier),
    sockets(request.fd),
  ];
}

export function reconfigureAttributes(index: number, identifier: string, fd: number): Attribute[] {
  return [attribute.u32(ATTR.INDEX, index), attribute.text(ATTR.BACKEND_IDENTIFIER, identifier), sockets(fd)];
}

function sockets(fd: number): Attribute {
  return attribute.nested(ATTR.SOCKETS, [attribute.nested(SOCK_ITEM, [attribute.u32(SOCK_FD, fd)])]);
}

/** The devices in a STATUS reply. */
export function statusOf(attributes: AttributeReader): NbdDeviceStatus[] {
  return attributes.list(ATTR.DEVICE_LIST).flatMap((item) => {
    const index = item.u32(DEVICE.INDEX);
    return index === undefined ? [] : [{ index, connected: item.u8(DEVICE.CONNECTED) === 1 }];
  });
}

/**
 * Opens the driver by generic netlink.
 * @throws Error when the nbd module is not there
 */
export async function openNbdDriver(): Promise<NbdDriver> {
  const netlink = new Genetlink();
  let family: GenetlinkFamily;
  try {
    family = await netlink.resolveFamily('nbd');
  } catch (cause) {
    netlink.close();
    if (hasCode(cause, 'ENOENT')) throw new Error('the kernel has no NBD driver (module nbd is not loaded)', { cause });
    throw cause;
  }
  const ask = (op: keyof typeof COMMAND, target: string, attributes: Attribute[]): Promise<GenetlinkMessage[]> =>
    netlink.request({ op: `NBD_CMD_${op}`, target, family, command: COMMAND[op], attributes });
  const sysfs = (index: number, file: string): string => `/sys/block/nbd${index}/${file}`;
  return {
    async connect(request) {
      const target = request.index === undefined ? 'the first free device' : `/dev/nbd${request.index}`;
      const [reply] = await ask('CONNECT', target, connectAttributes(request));
      const index = reply?.attributes.u32(ATTR.INDEX);
      if (index === undefined) throw new Error(`NBD_CMD_CONNECT ${target}: the kernel names no device`);
      return index;
    },
    async reconfigure(index, identifier, fd) {
      await ask('RECONFIGURE', `/dev/nbd${index}`, reconfigureAttributes(index, identifier, fd));
    },
    async disconnect(index) {
      await ask('DISCONNECT', `/dev/nbd${index}`, [attribute.u32(ATTR.INDEX, index)]);
    },
    async status() {
      const [reply] = await ask('STATUS', 'all devices', []);
      return reply === undefined ? [] : statusOf(reply.attributes);
    },
    backendOf(index) {
      const file = sysfs(index, 'backend');
      return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
    },
    setQueue(index, values) {
      for (const [name, value] of Object.entries(values)) writeFileSync(sysfs(index, `queue/${name}`), String(value));
    },
    close: () => netlink.close(),
  };
}
