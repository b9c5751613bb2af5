import { runCommand } from '../kit/main.ts';
import { boot } from './boot.ts';
import { BootLog } from './boot-log.ts';
import { STAGES } from './command-line.ts';

async function main(): Promise<void> {
  if (process.pid === 1) return boot(new BootLog(STAGES.length));
  process.exitCode = await runCommand(process.argv.slice(2));
}

void main();
