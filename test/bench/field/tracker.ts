/** The least tracker that BitTorrent clients accept (BEP 3, BEP 23): `node tracker.ts HOST PORT`. */
import { createServer } from 'node:http';

const peers = new Set<string>();
const [host = '127.0.0.1', port = '6969'] = process.argv.slice(2);

createServer((request, response) => {
  const asked = new URL(request.url ?? '/', 'http://tracker').searchParams;
  const from = (request.socket.remoteAddress ?? '').replace('::ffff:', '');
  const number = Number(asked.get('port'));
  const compact = [...peers].map((peer) => Buffer.from(peer, 'hex'));
  peers.add(Buffer.from([...from.split('.').map(Number), number >> 8, number & 255]).toString('hex'));
  const list = Buffer.concat(compact);
  response.end(Buffer.concat([Buffer.from(`d8:intervali10e5:peers${list.length}:`), list, Buffer.from('e')]));
}).listen(Number(port), host);
