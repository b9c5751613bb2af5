import { basename } from 'node:path';
import { runCommand } from '../kit/main.ts';
import { boot } from './boot.ts';
import { BootLog } from './boot-log.ts';
import { STAGES } from './command-line.ts';
import { endMachine } from './end-machine.ts';

async function main(): Promise<void> {
  if (process.pid === 1 && basename(process.argv0) === 'shutdown') return endMachine(process.argv[2]);
  if (process.pid === 1) return boot(new BootLog(STAGES.length));
  process.exitCode = await runCommand(process.argv.slice(2));
}

void main();
