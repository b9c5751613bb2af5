import { expect, test } from 'vitest';
import { layoutOf, withSettings } from '../../../../src/runes/plugins/keyboard.ts';

test('a keymap is a layout of X, with a variant after a hyphen', () => {
  expect(layoutOf('de')).toEqual({ layout: 'de', variant: '' });
  expect(layoutOf('us-intl')).toEqual({ layout: 'us', variant: 'intl' });
  expect(layoutOf('uk')).toEqual({ layout: 'gb', variant: '' });
});

test('a file keeps what is not about the layout', () => {
  const before = 'XKBMODEL="pc105"\nXKBLAYOUT="us"\nXKBVARIANT="dvorak"\n\nBACKSPACE="guess"\n';
  expect(withSettings(before, { XKBLAYOUT: 'de', XKBVARIANT: '' })).toBe(
    'XKBMODEL="pc105"\nBACKSPACE="guess"\nXKBLAYOUT="de"\nXKBVARIANT=""\n',
  );
  expect(withSettings('', { KEYMAP: 'de' })).toBe('KEYMAP="de"\n');
});
