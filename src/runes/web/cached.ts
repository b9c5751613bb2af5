/** The last result for a while; those who ask while it is being made get the same. */
export function cached<T>(ms: number, make: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly value: Promise<T> } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at > ms) {
      const value = make();
      const made = { at: performance.now(), value };
      last = made;
      value.catch(() => {
        if (last === made) last = undefined;
      });
    }
    return last.value;
  };
}
