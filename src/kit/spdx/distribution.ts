/** Whose packages they are. */
export interface Distribution {
  readonly id: string;
  readonly version: string | undefined;
}

/** ID and VERSION_ID of os-release(5); undefined where it has no ID. Pure. */
export function distributionOf(osRelease: string): Distribution | undefined {
  const value = (name: string): string | undefined =>
    new RegExp(`^${name}=["']?([a-zA-Z0-9._-]{1,64})["']?[ \\t\\r]*$`, 'm').exec(osRelease)?.[1];
  const id = value('ID');
  return id === undefined ? undefined : { id: id.toLowerCase(), version: value('VERSION_ID') };
}
