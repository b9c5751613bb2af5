/** An error with its causes, from what failed to why, on one line: `verify debian.sqfs: read failed: EIO`. */
export function describeError(error: unknown): string {
  // What was to be disposed of failed too, after the error that is worth telling.
  if (error instanceof SuppressedError)
    return `${describeError(error.suppressed)} (then: ${describeError(error.error)})`;
  const parts: string[] = [];
  for (let cause: unknown = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
  }
  return parts.join(': ').replace(/\s*\n\s*/g, ' ');
}
