import { mkdir, writeFile } from 'node:fs/promises';
import { tftpConfig } from '../dnsmasq-config.ts';
import { keptProgram } from '../kept-program.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { definePlugin } from '../plugin.ts';
import { supervise } from '../supervised.ts';

export default definePlugin({
  name: 'tftp',
  summary: 'gives the boot loader by TFTP (dnsmasq), on the boot interface only',
  provides: ['tftp'],
  requires: ['address', 'boot-loader'],
  async start(context) {
    const network = await context.ask('address').network();
    const loader = context.ask('boot-loader');
    const directory = await loader.directory();
    const configuration = `${RUN_DIRECTORY}/dnsmasq-tftp.conf`;
    await mkdir(RUN_DIRECTORY, { recursive: true });
    await writeFile(configuration, tftpConfig(network, directory));
    const { command, args } = keptProgram('/usr/sbin/dnsmasq');
    await supervise(context, {
      name: 'dnsmasq (TFTP)',
      command,
      args: [...args, '--keep-in-foreground', `--conf-file=${configuration}`, '--pid-file='],
      onLine: (line) => {
        // dnsmasq-tftp: sent FILE to ADDRESS; file FILE not found for ADDRESS; error 0 …
        const told = /dnsmasq-tftp\[\d+\]: (.*)$/.exec(line)?.[1];
        if (told !== undefined) context.log(told);
      },
    });
    return { tftp: { path: (architecture) => loader.file(architecture) } };
  },
});
