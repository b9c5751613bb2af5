import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseLease } from '../../../src/net/lease.ts';
import { readLeaseFacts, writeLeaseFacts } from '../../../src/net/lease-facts.ts';

test('what a lease says of name and time is there for those who set up the image', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lease-'));
  try {
    expect(readLeaseFacts(directory)).toEqual({ hostname: undefined, ntp: [] });
    const lease = { ip: '10.1.2.3', mask: '24', hostname: 'desk7.example', ntpsrv: '10.1.2.1 nonsense 10.1.2.2' };
    writeLeaseFacts(directory, parseLease(lease));
    expect(readLeaseFacts(directory)).toEqual({ hostname: 'desk7.example', ntp: ['10.1.2.1', '10.1.2.2'] });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
