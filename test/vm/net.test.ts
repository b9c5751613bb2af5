import { test } from 'vitest';
import { DhcpServer } from './harness/dhcp-server.ts';
import { diskless, holder } from './harness/field-machines.ts';
import { smallImage } from './harness/images.ts';
import { POWER_OFF } from './harness/login.ts';
import { powerOn } from './harness/machine.ts';
import { performAll } from './harness/run-scenario.ts';
import { Wire } from './harness/wire.ts';

test('a machine without a disk boots over the network from the field of one that has the image', async () => {
  const image = await smallImage();
  const wires = { lan: new Wire() };
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(wires.lan);
  await using one = await powerOn(await holder({ name: 'net-holder', number: 1, image, steps: [] }), {
    wires,
    slots: 'all',
  });
  await performAll(one);
  await using two = await powerOn(
    diskless({
      name: 'net-diskless',
      number: 2,
      image,
      steps: [
        { run: 'cat /etc/variant', output: /^one$/ },
        { run: 'sha256sum /data', within: 120 },
        { run: 'ps | grep "[@]viver-field"' },
        { run: 'ps | grep "[@]/udhcpc"' },
        ...POWER_OFF,
      ],
    }),
    { wires, slots: 'none' },
  );
  await performAll(two);
});
