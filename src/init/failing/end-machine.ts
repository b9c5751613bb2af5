import { writeSync } from 'node:fs';
import { describeError } from '../../linux/describe-error.ts';
import { type RebootVerb, reboot, syncAll } from '../../linux/reboot.ts';
import { readAgain } from '../../root/again.ts';
import { parseShutdownVerb, type ShutdownSystem, shutDown, shutdownSystem } from '../../root/shutdown.ts';
import { beginAgain, makeRoomForCarried } from './begin-again.ts';

/** What hangs in the kernel, a disk that was pulled out, does not keep the machine from its end. */
const LONGEST_MS = 120_000;

function say(line: string): void {
  try {
    writeSync(1, `viver: shutdown: ${line}\r\n`);
  } catch {
    // no console takes it any more; the end goes on
  }
}

/** The shutdown of a system that another one follows without a reset. */
function followed(system: ShutdownSystem): ShutdownSystem {
  return {
    ...system,
    end(which) {
      if (which === 'storage') {
        try {
          makeRoomForCarried();
        } catch (error) {
          say(`the next system fetches all of its image: ${describeError(error)}`);
        }
      }
      return system.end(which);
    },
    reboot(verb) {
      try {
        beginAgain();
      } catch (error) {
        say(`the machine is reset, since it cannot begin anew without: ${describeError(error)}`);
        system.reboot(verb);
      }
    },
  };
}

/**
 * The other end of a boot: systemd comes back to the initramfs and runs its `/shutdown VERB` as PID 1
 * (https://systemd.io/INITRD_INTERFACE). A word nobody knows ends the machine too: there is nothing to go back to. And
 * whatever fails, process 1 does not end before the machine: the kernel would panic.
 */
export async function endMachine(word: string | undefined): Promise<void> {
  let verb: RebootVerb = 'poweroff';
  const end = (why: string) => {
    say(why);
    try {
      syncAll();
      reboot(verb);
    } catch (error) {
      say(describeError(error));
      reboot('restart'); // kexec without a kernel, for one
    }
  };
  process.on('uncaughtException', (error) => end(describeError(error)));
  process.on('exit', (code) => end(`ended with status ${code}`));
  setTimeout(() => end(`not done after ${LONGEST_MS / 1000} s: the rest is left`), LONGEST_MS);
  try {
    verb = parseShutdownVerb(word);
  } catch (error) {
    say(describeError(error));
  }
  try {
    const system = shutdownSystem(say);
    const again = verb === 'restart' && readAgain() !== undefined;
    await shutDown(verb, again ? followed(system) : system);
  } catch (error) {
    end(describeError(error));
  }
}
