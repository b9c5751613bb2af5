import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** An interface that comes or goes is heard of by then. */
const AGAIN_MS = 10_000;

/** Says of a host whether it is on a wire of this machine, by the addresses that this machine has there. */
export function wiresOf(): (host: string) => boolean {
  let wires = new BlockList();
  let lookedAt = Number.NEGATIVE_INFINITY;
  return (host) => {
    const plain = host.replace(/^\[|\]$/g, '');
    const version = isIP(plain);
    if (version === 0) return false;
    if (performance.now() - lookedAt > AGAIN_MS) {
      lookedAt = performance.now();
      wires = look();
    }
    return wires.check(plain, version === 6 ? 'ipv6' : 'ipv4');
  };
}

function look(): BlockList {
  const wires = new BlockList();
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, cidr, family } of addresses ?? []) {
      // A point-to-point link says /32 or /128: then it is that one address.
      const length = Number(cidr?.slice(cidr.indexOf('/') + 1));
      if (Number.isInteger(length)) wires.addSubnet(address, length, family === 'IPv6' ? 'ipv6' : 'ipv4');
    }
  }
  return wires;
}
