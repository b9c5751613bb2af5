import { type RebootVerb, reboot } from '../../../../src/linux/reboot.ts';

// Only ever as the first process of a PID namespace: anywhere else it would end the machine.
if (process.pid !== 1) throw new Error('not in a PID namespace');
try {
  reboot(process.argv[2] as RebootVerb);
} catch (error) {
  process.stdout.write(JSON.stringify((error as Error).message));
}
