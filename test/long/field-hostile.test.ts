/** A million mutated messages, by the same test that CI runs for ten seconds. */
process.env.VIVER_HOSTILE_MESSAGES ??= '1000000';
await import('../field/hostile.test.ts');
