import { expect, test } from 'vitest';
import { runCommand } from '../../../src/kit/main.ts';
import { checkMayEnd, initCommand } from '../../../src/kit/shutdown.ts';

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

// These end no machine, whichever they run on: the command itself is only called with words that it refuses.
test('a machine that VIVER did not boot is not ended, and none by another than root', () => {
  expect(() => checkMayEnd(false, 0)).toThrow(/not booted by VIVER and is not ended/);
  expect(() => checkMayEnd(true, 1000)).toThrow(/only root ends the machine/);
  expect(() => checkMayEnd(true, undefined)).toThrow(/only root/);
  expect(() => checkMayEnd(true, 0)).not.toThrow();
});

test('a word that is no way to end is refused before anything is looked at', async () => {
  expect(await runCommand(['shutdown', 'sideways'])).toBe(1);
  expect(await runCommand(['shutdown', 'halt', 'reboot'])).toBe(2);
});
