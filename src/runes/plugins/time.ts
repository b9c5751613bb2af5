import { definePlugin } from '../engine/plugin.ts';
import { wordOf } from '../machine.ts';

const UTC = '/usr/share/zoneinfo/Etc/UTC';

export default definePlugin({
  name: 'time',
  summary: 'a time zone where the image has none, and the hardware clock read as UTC',
  prepare(root) {
    const asked = /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/.exec(wordOf(root.machine.commandLine, 'TZ') ?? '')?.[0];
    const zone = asked === undefined ? undefined : `/usr/share/zoneinfo/${asked}`;
    if (zone !== undefined && root.has(zone)) {
      root.link('/etc/localtime', zone);
      root.write('/etc/timezone', `${asked}\n`);
      root.note(`time zone ${asked}`);
    } else if (!root.has('/etc/localtime') && root.has(UTC)) {
      root.link('/etc/localtime', UTC);
      root.note('time zone UTC: the image has none');
    }
    // "0.0 0 0.0 / 0 / UTC", hwclock(8): without it some images take the clock for local time
    if (!root.has('/etc/adjtime')) root.write('/etc/adjtime', '0.0 0 0.0\n0\nUTC\n');
  },
});
