import { describeError } from '../linux/describe-error.ts';

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

/** The lines a person reads on the console: what failed and why, what was seen, what to try. */
export function explainFailure(error: unknown): readonly string[] {
  const lines = [`viver: boot failed: ${describeError(error)}`];
  if (error instanceof BootFailure) {
    lines.push(
      ...error.saw.map((line) => `viver:   saw ${line}`),
      ...error.tryThis.map((line) => `viver:   try ${line}`),
    );
  } else {
    lines.push('viver:   try viver.debug on the kernel command line, and dmesg at the prompt below');
  }
  return lines;
}
