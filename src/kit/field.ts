import { DEFAULT_PORT } from '../field/wire/protocol.ts';
import { type Command, UsageError } from './command.ts';
import { clean } from './field/clean.ts';
import { limit, preheat, refuse, status } from './field/control.ts';
import { up } from './field/up.ts';
import { onlyTakes, parseOptions } from './field/words.ts';

const ACTIONS = ['up', 'status', 'limit', 'preheat', 'refuse', 'admit', 'clean'];
/** Options of `up`. */
const UP = [
  ...([
    'image',
    'index',
    'id',
    'name',
    'listen',
    'peer',
    'origin',
    'keep',
    'profile',
    'store',
    'carried',
    'nbd',
    'control',
    'key',
  ] as const),
  ...(['keys', 'site', 'limit', 'refuse'] as const),
];

export const field: Command = {
  name: 'field',
  summary: 'share a disk image with other machines, block by block; show how it goes',
  usage: `usage: viver field up (--image FILE.sqfs | --id HEX) [--listen ADDR:PORT] [--peer ADDR:PORT]…
                      [--origin URL]… [--keep BYTES] [--store DIR] [--nbd unix:PATH|tcp:ADDR:PORT|/dev/nbdN]
                      [--control PATH] [--key FILE] [--keys DIR] [--name NAME] [--index FILE]
                      [--carried DIR] [--site NAME] [--limit UP[/DOWN]] [--refuse ADDRESS[/LENGTH]|FILE]…
       viver field status [--json] [--control PATH]
       viver field limit [UP[/DOWN]] [--control PATH]
       viver field preheat [--control PATH]
       viver field refuse [ADDRESS[/LENGTH]…] [--control PATH]
       viver field admit ADDRESS[/LENGTH]… [--control PATH]
       viver field clean DIR [--id HEX] [--dry-run]

up       makes this machine a node of the field of one image and stays until SIGTERM or SIGINT. When it can serve
         reads it prints a line "viver field: ready …". On SIGTERM it hands over what only it holds, then leaves; a
         second signal ends it at once.
         --image FILE.sqfs   has the whole image; FILE.caibx beside it is its chunk index, made when missing
         --id HEX            joins the field of the image with this id; the index comes from the peers
         --listen ADDR:PORT  UDP and TCP, default 0.0.0.0:${DEFAULT_PORT}; port 0: any; -: ADDR:PORT comes as
                             a line on standard input
         --peer ADDR:PORT    a node to ask for admission, beside those that multicast finds
         --origin URL        a web server with a chunk store (.castr) or an image (.sqfs), asked for what no peer has;
                             with http://USER:PASSWORD@… or http://:TOKEN@…
         --keep BYTES        of the image to keep for oneself and others (K, M, G allowed), default a quarter of the
                             machine's memory
         --profile FILE      what a boot reads, and in which order (viver profile): it is fetched ahead of demand. Without
                             it, the one that the store or an origin has beside the image
         --store DIR         keeps the chunks there, over restarts, instead of in memory
         --carried DIR       what another node left there of its memory is taken over at the start, and goes from there; at
                             the end, where DIR is there, what is in memory is left in it. Not with --image or --store
         --nbd TARGET        the image as a block device. As long as a kernel device (/dev/nbdN) is mounted, SIGTERM
                             is put off, and a second one changes nothing
         --control PATH      a unix socket for status
         --key FILE          a secret that all nodes of the field have; strangers are refused
         --keys DIR          takes no index from others but one with a signature (minisign) by a public key there
                             (*.pub). The signature beside FILE.caibx (FILE.caibx.minisig) and FILE.release are shown
                             to others, and those of others passed on
         --name NAME         what people call the image, default the file's name
         --index FILE        the image's chunk index, when it is not beside the image; with --id: it need not be fetched
         --limit UP[/DOWN]   bytes per second sent to all peers, and fetched from peers and origins (K, M, G allowed;
                             none: no limit, as for DOWN when it is left away). What reads wait for goes first
         --site NAME         the room or wire this machine is in; nodes of the same name are near, others are not. What
                             is far is fetched into a room once, and passed on there. Without it nodes on a wire of
                             this machine are near, and others that answer as soon as these
         --refuse WHO        has nothing to do with these addresses; WHO is ADDRESS, ADDRESS/LENGTH, or a file with one
                             of these a line
status   what a running node knows of itself and the field. With --json one object:
         {image:{id,name,size,chunks}, node:{id,address,held}, peers:[{id,address,held,rttMs}],
         redundancy:{min,mean}, traffic:{fromPeers,fromMedium,fromOrigin,toPeers,rejected}, shutOut:[{id,reason}],
         limits:{up,down}, refused:[ADDRESS/LENGTH]}; each peer has traffic:{from,to,rejected} too
         sizes and traffic in bytes, limits in bytes per second or null; held and chunks count chunks; rttMs null when
         not measured yet
limit    shows what the node sends and fetches at most, or sets it anew
preheat  has the node fetch all of the image, beside what is read, and returns when it is here. The node must have room
         for it (--keep). It goes on when this command is interrupted
refuse   lists whom the node refuses, or adds these; admit takes them back, as they were added
clean    removes from the directory of --store what no node there needs any more: temporary files an hour old, and
         chunks that no index in it names. With --id: also what belongs to other images alone, and their indexes
--control: without it the daemon that started this machine, /run/viver/field.sock
`,
  async run(args, signal) {
    const [action, ...rest] = args;
    const { values, positionals: words } = parseOptions(rest);
    switch (action) {
      case 'up':
        if (words.length > 0) throw new UsageError(`up takes no '${words[0]}'`);
        onlyTakes('up', values, ...UP);
        return await up(values, signal);
      case 'status':
        return await status(values, words);
      case 'limit':
        return await limit(values, words);
      case 'preheat':
        return await preheat(values, words, signal);
      case 'refuse':
      case 'admit':
        return await refuse(action, values, words);
      case 'clean':
        return await clean(values, words);
      default:
        throw new UsageError(action === undefined ? `one of ${ACTIONS.join(', ')} wanted` : `no action '${action}'`);
    }
  },
};
