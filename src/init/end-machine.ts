import { writeSync } from 'node:fs';
import type { RebootVerb } from '../linux/reboot.ts';
import { parseShutdownVerb, shutDown, shutdownSystem } from '../root/shutdown.ts';

/**
 * The other end of a boot: systemd comes back to the initramfs and runs its `/shutdown VERB` as PID 1
 * (https://systemd.io/INITRD_INTERFACE). A word nobody knows ends the machine too: there is nothing to go back to.
 */
export async function endMachine(word: string | undefined): Promise<void> {
  const say = (line: string) => void writeSync(process.stdout.fd, `viver: shutdown: ${line}\r\n`);
  let verb: RebootVerb = 'poweroff';
  try {
    verb = parseShutdownVerb(word);
  } catch (error) {
    say(String(error));
  }
  await shutDown(verb, shutdownSystem(say));
}
