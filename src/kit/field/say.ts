/** A line of a node's log. */
export function say(line: string): void {
  process.stderr.write(`viver field: ${line}\n`);
}
