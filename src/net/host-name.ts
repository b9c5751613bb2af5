/** RFC 1123, section 2.1; no longer than Linux takes it. */
const HOST_NAME = /^(?=.{1,64}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*$/;

export const isHostName = (name: string): boolean => HOST_NAME.test(name);

/** Whether what a network calls a machine can be its name: every machine is `localhost` to itself. */
export const isNetworkName = (name: string): boolean => isHostName(name) && !/^localhost(\.|$)/i.test(name);
