import { describeError } from '../../linux/describe-error.ts';

/** Why a boot cannot go on, with what was seen and what a person can try. */
export class BootFailure extends Error {
  override readonly name = 'BootFailure';
  readonly saw: readonly string[];
  readonly tryThis: readonly string[];

  constructor(
    message: string,
    details: { readonly saw?: readonly string[]; readonly tryThis?: readonly string[]; readonly cause?: unknown },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.saw = details.saw ?? [];
    this.tryThis = details.tryThis ?? [];
  }
}

/**
 * The lines a person reads on the console: what failed and why, what was seen, what to try.
 * @param alsoSaw what was seen that may be the reason of any failure
 */
export function explainFailure(error: unknown, alsoSaw: readonly string[] = []): readonly string[] {
  const isExplained = error instanceof BootFailure;
  const saw = [...(isExplained ? error.saw : []), ...alsoSaw];
  const tryThis = isExplained
    ? error.tryThis
    : ['viver.debug on the kernel command line, and dmesg at the prompt below'];
  return [
    `viver: boot failed: ${describeError(error)}`,
    ...saw.map((line) => `viver:   saw ${line}`),
    ...tryThis.map((line) => `viver:   try ${line}`),
  ];
}
