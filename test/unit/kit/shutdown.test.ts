import { expect, test } from 'vitest';
import { runCommand } from '../../../src/kit/main.ts';
import { initCommand } from '../../../src/kit/shutdown.ts';

test('the init that runs is asked in its own words', () => {
  const on = (path: string) => (verb: string) => initCommand(verb, (candidate) => candidate === path)?.join(' ');
  expect(on('/run/systemd/system')('reboot')).toBe('systemctl reboot');
  expect(on('/sbin/openrc-shutdown')('poweroff')).toBe('openrc-shutdown --poweroff now');
  expect(['poweroff', 'reboot', 'halt'].map(on('/run/initctl'))).toEqual([
    'shutdown -hP now',
    'shutdown -r now',
    'shutdown -hH now',
  ]);
  expect(on('/none')('poweroff')).toBeUndefined();
});

test('a machine that VIVER did not boot is not ended', async () => {
  expect(await runCommand(['shutdown', 'poweroff'])).toBe(1);
  expect(await runCommand(['shutdown', 'sideways'])).toBe(1);
  expect(await runCommand(['shutdown', 'halt', 'reboot'])).toBe(2);
});
