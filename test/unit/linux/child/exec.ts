import { openSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { exec } from '../../../../src/linux/process.ts';

/** Says, as JSON, how the program after exec finds itself. Only builtins and cat, which catch no signal. */
const SHOW = `
echo '{"signals": "'$(cat /proc/self/status | grep -E '^Sig(Blk|Ign|Cgt)' | cut -f2)'",'
echo '"descriptors": "'$(cd /proc/self/fd && echo *)'",'
echo '"flags": "'$(for fd in 0 1 2; do read name flags < /proc/$$/fdinfo/$fd; while read name flags; do [ "$name" = flags: ] && echo $flags; done < /proc/$$/fdinfo/$fd; done)'",'
echo '"openFiles": "'$(ulimit -n)'", "umask": "'$(umask)'",'
echo '"environment": "'$(tr '\\0' ' ' < /proc/$$/environ)'",'
echo '"argv0": "'$(tr '\\0' '\\n' < /proc/$$/cmdline | head -n 1)'", "argv": "'$0 $#'", "failed": '"$1}"
`;

const signals = () => /SigIgn:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];

process.on('SIGTERM', () => {});
process.umask(0o077);
openSync('/dev/null', 'r');
const ignored = signals();
const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
worker.once('online', () => {
  try {
    exec('/no/such/init', ['init'], {});
  } catch (error) {
    const failed = { message: (error as Error).message, sameSignals: signals() === ignored };
    const argv = ['@viver-field', '-c', SHOW, 'zero', JSON.stringify(failed)];
    // The standard streams of a Node program that has used them.
    process.stderr.write('', () => exec('/bin/sh', argv, { HOME: '/', TERM: 'linux' }));
  }
});
