/** `viver ARGS…` from the sources. */
import { runCommand } from '../../../../src/kit/main.ts';

process.exitCode = await runCommand(process.argv.slice(2));
