import { basename } from 'node:path';
import { startupSnapshot } from 'node:v8';
import { endWithReader, runCommand } from '../kit/main.ts';
import { boot } from './boot.ts';
import { BootLog } from './boot-log.ts';
import { STAGES } from './command-line.ts';
import { endMachine } from './failing/end-machine.ts';

async function main(): Promise<void> {
  if (process.pid === 1 && basename(process.argv0) === 'shutdown') return endMachine(process.argv[2]);
  if (process.pid === 1) return boot(new BootLog(STAGES.length));
  endWithReader(process.stdout, process.stderr, process.exit);
  process.exitCode = await runCommand(process.argv.slice(2));
}

// The executable is made of a snapshot taken when all modules have run (scripts/executable.ts): main then runs at each start.
if (startupSnapshot.isBuildingSnapshot()) startupSnapshot.setDeserializeMainFunction(main);
else void main();
