import manifest from '../../package.json' with { type: 'json' };

/** VIVER's own. */
export const VERSION: string = manifest.version;
