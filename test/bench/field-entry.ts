/** What the benchmarks run: the viver command, without the part that is PID 1. */
import { runCommand } from '../../src/kit/main.ts';

process.exitCode = await runCommand(process.argv.slice(2));
