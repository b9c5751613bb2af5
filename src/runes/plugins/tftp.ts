import { mkdir, writeFile } from 'node:fs/promises';
import { describeError } from '../../linux/describe-error.ts';
import { tftpConfig } from '../dhcp/dnsmasq-config.ts';
import { dnsmasqUser } from '../dhcp/dnsmasq-user.ts';
import { definePlugin } from '../engine/plugin.ts';
import { endLeftovers, supervise } from '../engine/supervised.ts';
import { keptProgram } from '../kept-program.ts';
import { tftpNews } from '../overview/boot-progress.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { logOfAskers } from '../rate-limit.ts';
import { macOfGrubPath } from '../web/grub-script.ts';
import { GrubScripts } from '../web/grub-scripts.ts';

const LONGEST_LINE = 200;

export default definePlugin({
  name: 'tftp',
  summary: 'gives the boot loader by TFTP (dnsmasq), on the boot interface only',
  provides: ['tftp'],
  requires: ['address', 'boot-loader'],
  uses: ['http'],
  async start(context) {
    const network = await context.ask('address').network();
    const loader = context.ask('boot-loader');
    const directory = await loader.directory();
    const configuration = `${RUN_DIRECTORY}/dnsmasq-tftp.conf`;
    await mkdir(RUN_DIRECTORY, { recursive: true });
    await writeFile(configuration, tftpConfig(network, directory));
    const tell = logOfAskers(context.log);
    const counted = { sent: 0, refused: 0 };
    const grub = new GrubScripts(directory);
    context.defer(() => grub.close());
    if (context.has('http')) await context.ask('http').publish('tftp', () => ({ ...counted }));
    await endLeftovers(`--conf-file=${configuration}`);
    const { command, args } = keptProgram('/usr/sbin/dnsmasq');
    await supervise(context, {
      name: 'dnsmasq (TFTP)',
      command,
      args: [...args, ...dnsmasqUser(), '--keep-in-foreground', `--conf-file=${configuration}`, '--pid-file='],
      onLine: (line) => {
        const told = /dnsmasq-tftp\[\d+\]: (.*?)\s*$/.exec(line)?.[1];
        if (told === undefined || told.startsWith('TFTP root')) return;
        const [, path = '', from = ''] = /^file (\S+) not found for ([\d.]+)$/.exec(told) ?? [];
        const mac = macOfGrubPath(path);
        if (mac !== undefined && context.has('http')) {
          grub
            .write(mac, () => context.ask('http').grubScript(mac, from))
            .catch((error: unknown) => tell(`${mac} (${from}): ${describeError(error)}`, from));
          return;
        }
        // GRUB's own search for a file of this machine's address
        if (path.includes('/grub/')) return;
        const news = tftpNews(told);
        if (news !== undefined && context.has('http'))
          context
            .ask('http')
            .hear(news)
            .catch((error: unknown) => context.log(describeError(error)));
        if (told.startsWith('sent ')) counted.sent++;
        else counted.refused++;
        // files that were given are worth a line; of what strangers ask for, the first is
        if (told.startsWith('sent ')) tell(told, told.split(' ').at(-1) ?? '');
        else if (counted.refused === 1) context.log(`${told.slice(0, LONGEST_LINE)} (what follows is counted only)`);
      },
    });
    return { tftp: { path: async (architecture) => (await loader.file(architecture)) ?? '' } };
  },
});
