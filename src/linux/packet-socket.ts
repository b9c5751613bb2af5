import { bytes, encode, i32le, struct, u8, u16be, u16le } from '../codec/struct.ts';
import { SyscallError } from './errno.ts';
import { call } from './libc.ts';

/** packet(7). SOCK_DGRAM: the kernel makes and takes away the Ethernet header. */
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const ETH_P_IP = 0x0800;
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

const BROADCAST = Uint8Array.of(255, 255, 255, 255, 255, 255, 0, 0);

/**
 * IPv4 packets on one link, whether or not it has an address, past routes and filters of the kernel. Opening it takes
 * CAP_NET_RAW. Errors are SyscallErrors.
 */
export class PacketSocket implements Disposable {
  readonly #fd: number;
  readonly #index: number;
  readonly #target: string;
  readonly #buffer = new Uint8Array(LARGEST_PACKET);

  /** @param index of the link */
  constructor(index: number) {
    this.#index = index;
    this.#target = `packets on link ${index}`;
    const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const protocol = ((ETH_P_IP & 0xff) << 8) | (ETH_P_IP >> 8); // in network order
    this.#fd = call('socket', this.#target, (c) => c.socket(AF_PACKET, type, protocol));
    try {
      const address = this.#address(new Uint8Array(8));
      call('bind', this.#target, (c) => c.bind(this.#fd, address, address.length));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Sends an IPv4 packet to all on the link. */
  broadcast(packet: Uint8Array): void {
    const address = this.#address(BROADCAST);
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
      protocol: ETH_P_IP,
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
