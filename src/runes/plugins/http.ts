import { hostname } from 'node:os';
import { findBootFiles } from '../boot-files.ts';
import { bootScript, inheritedWords } from '../boot-script.ts';
import { HTTP_PORT } from '../places.ts';
import { definePlugin } from '../plugin.ts';
import { type Answer, WebServer } from '../web-server.ts';

/** Names on a command line that is at most 2048 bytes on x86; more nodes are found by those. */
const MOST_PEERS = 8;

export default definePlugin({
  name: 'http',
  summary:
    'kernel, initrd and boot script for machines that boot by network, and the status; on the boot interface only',
  provides: ['http'],
  requires: ['address'],
  uses: ['field'],
  async start(context) {
    const { machine } = context;
    const network = await context.ask('address').network();
    const base = `http://${network.address}:${HTTP_PORT}`;
    const files = findBootFiles();
    const lacking = ['vmlinuz', 'viverrd.zst'].filter((name) => !files.has(name));
    if (lacking.length > 0)
      context.log(`the image has no /boot/${lacking.join(', /boot/')}: nobody can boot from here`);

    const script = async (): Promise<Answer> => {
      if (lacking.length > 0) return { kind: 'unavailable', why: `no ${lacking.join(', ')} in the image` };
      if (!context.has('field')) return { kind: 'unavailable', why: 'the image is not shared yet' };
      const { image, peers } = await context.ask('field').status();
      const others = peers.map(({ address }) => address).slice(0, MOST_PEERS - 1);
      const text = bootScript({
        base,
        image: { name: machine.image?.name ?? image.name, id: image.id },
        others: [],
        peers: [network.address, ...others],
        words: inheritedWords(machine.commandLine),
        hasMemtest: files.has('memtest.bin') && files.has('memtest.efi'),
      });
      return { kind: 'text', type: 'text/plain', text };
    };
    const server = new WebServer({
      log: context.log,
      answer(path) {
        if (path === '/boot/boot.ipxe') return script();
        if (path.startsWith('/boot/')) {
          const file = files.get(path.slice('/boot/'.length));
          return file === undefined ? undefined : { kind: 'file', path: file.path, sizeBytes: file.sizeBytes };
        }
        if (path === '/status.json') {
          const own = { hostname: hostname(), role: context.role, address: network.address, refused: server.refused };
          return { kind: 'text', type: 'application/json', text: `${JSON.stringify(own)}\n` };
        }
        return undefined;
      },
    });
    await server.listen(network.address, HTTP_PORT);
    context.defer(() => server.close());
    return { http: { base: async () => base, scriptUrl: async () => `${base}/boot/boot.ipxe` } };
  },
});
