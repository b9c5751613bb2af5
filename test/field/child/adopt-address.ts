/** usage: adopt-address.ts INTERFACE ADDRESS: adopts it, gives it back when standard input ends, and says what it does. */
import { OrphanAddresses } from '../../../src/runes/dhcp/orphan-addresses.ts';

const [interfaceName = '', address = ''] = process.argv.slice(2);
const log = (line: string): void => void process.stdout.write(`${line}\n`);
const { signal } = new AbortController();
const orphans = new OrphanAddresses({ interfaceName, busybox: '/bin/busybox', log, signal });
process.stdin.once('end', () => orphans.release(address)).resume();
await orphans.adopt(address);
log('given back');
process.exit(0);
