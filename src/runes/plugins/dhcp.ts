import { mkdir, writeFile } from 'node:fs/promises';
import { dhcpConfig } from '../dnsmasq-config.ts';
import type { DhcpMode, Network } from '../interfaces.ts';
import { keptProgram } from '../kept-program.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { definePlugin } from '../plugin.ts';
import { supervise } from '../supervised.ts';

interface Decision {
  readonly mode: DhcpMode;
  readonly why: string;
}

function decide({ origin, server, address }: Network): Decision {
  if (origin === 'chosen') return { mode: 'full', why: 'no DHCP server answered on this network' };
  return { mode: 'proxy', why: `${server ?? 'a DHCP server'} gave ${address}: addresses stay its own` };
}

export default definePlugin({
  name: 'dhcp',
  summary:
    'addresses and the way to the boot loader (dnsmasq): all of DHCP on an empty network, else beside its server',
  provides: ['dhcp'],
  requires: ['address', 'tftp', 'http'],
  async start(context) {
    const address = context.ask('address');
    const tftp = context.ask('tftp');
    const network = await address.network();
    const decision = decide(network);
    context.log(`${decision.mode}: ${decision.why}`);
    if (decision.mode !== 'standby') {
      const configuration = `${RUN_DIRECTORY}/dnsmasq-dhcp.conf`;
      await mkdir(RUN_DIRECTORY, { recursive: true });
      const text = dhcpConfig({
        mode: decision.mode,
        network,
        range: await address.range(),
        bios: await tftp.path('bios'),
        efi64: await tftp.path('efi64'),
        scriptUrl: await context.ask('http').scriptUrl(),
        leaseFile: `${RUN_DIRECTORY}/dnsmasq.leases`,
      });
      await writeFile(configuration, text);
      const { command, args } = keptProgram('/usr/sbin/dnsmasq');
      await supervise(context, {
        name: 'dnsmasq (DHCP)',
        command,
        args: [...args, '--keep-in-foreground', `--conf-file=${configuration}`, '--pid-file='],
        onLine: (line) => {
          const told = /dnsmasq-dhcp\[\d+\]: ((?:DHCPACK|PXE)\(.*)$/.exec(line)?.[1];
          if (told !== undefined) context.log(told);
        },
      });
    }
    return { dhcp: { mode: async () => decision } };
  },
});
