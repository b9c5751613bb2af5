import { bytes, encode, i32le, struct, u8, u16be, u16le } from '../../codec/struct.ts';
import { SyscallError } from '../errno.ts';
import { addressOf, call } from '../libc.ts';

/** packet(7). SOCK_DGRAM: the kernel makes and takes away the Ethernet header. */
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** linux/if_ether.h. */
const ETHERNET_TYPES = { ipv4: 0x0800, ipv6: 0x86dd } as const;
/** packet(7), linux/if_packet.h. */
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_MULTICAST = 0;
const EAGAIN = 11;
const LARGEST_PACKET = 65_536;

const sockaddrLl = struct('sockaddr_ll', [
  ['family', u16le],
  ['protocol', u16be],
  ['index', i32le],
  ['hardwareType', u16le],
  ['packetType', u8],
  ['addressLength', u8],
  ['address', bytes(8)],
]);

const packetMreq = struct('packet_mreq', [
  ['index', i32le],
  ['type', u16le],
  ['addressLength', u16le],
  ['address', bytes(8)],
]);

const BROADCAST = 'ff:ff:ff:ff:ff:ff';

/** A MAC in the eight bytes that the kernel's structures have for one. */
function hardwareAddress(mac: string): Uint8Array {
  return Uint8Array.of(...mac.split(':').map((byte) => Number.parseInt(byte, 16)), 0, 0);
}

/**
 * IP packets on one link, whether or not it has an address, past routes and filters of the kernel. Opening it takes
 * CAP_NET_RAW. Errors are SyscallErrors.
 */
export class PacketSocket implements Disposable {
  readonly #fd: number;
  readonly #index: number;
  readonly #type: number;
  readonly #target: string;
  readonly #buffer = new Uint8Array(LARGEST_PACKET);

  /** @param index of the link */
  constructor(index: number, protocol: keyof typeof ETHERNET_TYPES = 'ipv4') {
    this.#index = index;
    this.#type = ETHERNET_TYPES[protocol];
    this.#target = `packets on link ${index}`;
    const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const inNetworkOrder = ((this.#type & 0xff) << 8) | (this.#type >> 8);
    this.#fd = call('socket', this.#target, (c) => c.socket(AF_PACKET, type, inNetworkOrder));
    try {
      const address = this.#address(new Uint8Array(8));
      call('bind', this.#target, (c) => c.bind(this.#fd, address, address.length));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Sends a packet to all on the link. */
  broadcast(packet: Uint8Array): void {
    this.send(packet, BROADCAST);
  }

  /** Makes the card take what goes to a multicast address, for as long as this socket is open. */
  join(mac: string): void {
    const address = hardwareAddress(mac);
    const wanted = encode(packetMreq, { index: this.#index, type: PACKET_MR_MULTICAST, addressLength: 6, address });
    call('setsockopt PACKET_ADD_MEMBERSHIP', this.#target, (c) =>
      c.setsockopt(this.#fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, addressOf(wanted), wanted.length),
    );
  }

  /** Sends a packet to one card on the link. */
  send(packet: Uint8Array, mac: string): void {
    const address = this.#address(hardwareAddress(mac));
    const length = BigInt(packet.length);
    call('sendto', this.#target, (c) => c.sendto(this.#fd, packet, length, 0, address, address.length));
  }

  /** The next packet that has come, good until the next call; undefined when there is none. */
  receive(): Uint8Array | undefined {
    try {
      const length = call('recv', this.#target, (c) => c.recv(this.#fd, this.#buffer, BigInt(LARGEST_PACKET), 0));
      return this.#buffer.subarray(0, Number(length));
    } catch (error) {
      if (error instanceof SyscallError && error.errno === EAGAIN) return undefined;
      throw error;
    }
  }

  #address(address: Uint8Array): Uint8Array {
    return encode(sockaddrLl, {
      family: AF_PACKET,
      protocol: this.#type,
      index: this.#index,
      hardwareType: 0,
      packetType: 0,
      addressLength: 6,
      address,
    });
  }

  [Symbol.dispose](): void {
    call('close', this.#target, (c) => c.close(this.#fd));
  }
}
