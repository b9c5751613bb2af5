/**
 * The daemon of the machine that nbd-kernel.test.ts boots: a file as /dev/nbdN, from the front end's own parts.
 * usage: device-daemon.ts FILE [INDEX]
 *
 * SIGTERM detaches the device. SIGUSR1 makes reads wait (the field has lost the chunks), SIGUSR2 lets them go on.
 */
import { readFileSync } from 'node:fs';
import { KernelDevice } from '../../../src/nbd/kernel-device.ts';
import { openNbdDriver } from '../../../src/nbd/kernel-driver.ts';
import { becomeStorageDaemon } from '../../../src/nbd/storage-daemon.ts';

const [, , file = '', index] = process.argv;
const bytes = readFileSync(file);
becomeStorageDaemon((line) => console.log(line));
let gate: PromiseWithResolvers<void> | undefined;

const device = await KernelDevice.attach({
  driver: await openNbdDriver(),
  source: {
    size: bytes.length,
    read(offset, length) {
      const found = bytes.subarray(offset, offset + length);
      return gate === undefined ? found : gate.promise.then(() => found);
    },
  },
  identifier: `test:${file}`,
  index: index === undefined ? undefined : Number(index),
  log: (line) => console.log(line),
});

process.on('SIGUSR1', () => {
  gate ??= Promise.withResolvers();
  console.log('reads wait');
});
process.on('SIGUSR2', () => {
  gate?.resolve();
  gate = undefined;
  console.log('reads go on');
});
process.on('SIGTERM', () => void device.detach());
console.log(`${device.path} ready pid=${process.pid} takenOver=${device.takenOver}`);
console.log(`${device.path}: ${await device.ended}`);
process.exit(0);
