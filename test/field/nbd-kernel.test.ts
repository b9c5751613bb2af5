import { expect, test } from 'vitest';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { Step } from '../vm/harness/scenario.ts';
import { kernelMachine } from './nbd/kernel-machine.ts';

/** In the machine's shell: the daemon's process, by the name it goes by. */
const PID = '$(pidof @viver-field)';
const READ_ALL = 'dd if=/dev/nbd0 bs=1M iflag=direct 2>/dev/null | md5sum';

/** Reads without a pause from before the daemon is killed until well after another must have taken over. */
const killWhileRead = (sums: string): string =>
  `touch /tmp/reading; while [ -e /tmp/reading ]; do ${READ_ALL}; done > ${sums} & ` +
  `sleep 1; kill -9 ${PID}; sleep 5; rm /tmp/reading; wait`;

/** The machine's shell moves to another root as /init does; the supervisor and the daemon stay in the first. */
const SWITCH_ROOT: readonly Step[] = [
  { run: 'mkdir -p /run/viver /new && mount -t tmpfs new /new && cd /new && mkdir bin dev proc sys run tmp' },
  {
    run: 'cp /bin/busybox bin/ && for applet in $(busybox --list); do ln -s busybox bin/$applet 2>/dev/null; done; true',
  },
  { run: 'for fs in dev proc sys run; do mount -o move /$fs /new/$fs; done; mount -o move . /' },
  { type: 'exec chroot . /bin/sh\n' },
  { run: 'cd /; stty -echo; ls /', output: /^bin\s+dev\s+proc\s+run\s+sys\s+tmp$/ },
];

test('the kernel’s device reads, mounts, waits for a slow field, and outlives its daemon', async () => {
  const { kernel, image } = await kernelMachine();
  const blocks = Math.ceil(image.size / 4096);
  const wholeMd5 = /^[0-9a-f]{32}/;
  const steps: Step[] = [
    { wait: 'shell is up', within: 60 },
    { wait: /nbd0 ready pid=\d+ takenOver=false/, within: 60 },
    {
      run: 'cat /sys/block/nbd0/size /sys/block/nbd0/ro /sys/block/nbd0/queue/logical_block_size',
      output: `${blocks * 8}\n1\n4096`,
    },
    { run: `cat /proc/${PID}/oom_score_adj; grep -c 'VmLck:.*[1-9]' /proc/${PID}/status`, output: '-1000\n1' },
    { run: `head -c ${image.size} /dev/nbd0 | md5sum`, output: image.md5 },
    { run: `${READ_ALL} | tee /tmp/whole`, output: wholeMd5 },
    { run: 'mount -t squashfs -o ro /dev/nbd0 /mnt && md5sum /mnt/data', output: image.dataMd5, within: 60 },

    // The field has lost the chunks for longer than the kernel takes between two looks, which are every 3 s.
    // (Each job is waited for in the command that starts it: BusyBox's shell ends when one ends while it waits for a line.)
    {
      run: `kill -USR1 ${PID}; sleep 0.5; ${READ_ALL} > /tmp/late & sleep 8; wc -c < /tmp/late; kill -USR2 ${PID}; wait`,
      output: /reads wait\n0\nreads go on/,
    },
    { run: 'cmp /tmp/whole /tmp/late; dmesg | grep -c stuck', output: /^[1-9]\d*$/ },

    // The daemon dies while it is read from, and the reading goes on after another has taken over.
    { run: killWhileRead('/tmp/sums'), output: /nbd0 ready pid=\d+ takenOver=true/, within: 90 },
    { run: 'sort -u /tmp/sums /tmp/whole | wc -l', output: '1' },
    { run: 'echo 3 > /proc/sys/vm/drop_caches; md5sum /mnt/data; umount /mnt', output: image.dataMd5, within: 60 },

    // And again after the root was switched, when the supervisor's own /proc, /sys and /dev are gone.
    ...SWITCH_ROOT,
    { run: killWhileRead('/tmp/after'), output: /nbd0 ready pid=\d+ takenOver=true/, within: 90 },
    { run: 'sort -u /tmp/after' },
    { run: 'dmesg | grep -c "viver: @viver-field ended with status 137"', output: '2' },
    { run: 'dmesg | grep -ci "i/o error"', status: 1, output: '0' },

    { run: `kill ${PID}` },
    { wait: '/dev/nbd0: detached', within: 20 },
    { run: 'sleep 2; cat /sys/block/nbd0/size; ps | grep -c "[@]viver"', status: 1, output: '0\n0' },
    { type: 'poweroff -f\n' },
    { expect: 'power-off', within: 20 },
  ];
  const outcome = await runScenario({ name: 'nbd-kernel', memoryMiB: 1024, cpus: 2, kernel, steps });
  const resultOf = (run: string): string | undefined =>
    outcome.results[steps.findIndex((step) => 'run' in step && step.run.startsWith(run))];
  expect(resultOf('sort -u /tmp/after')).toBe(resultOf(READ_ALL));
});
