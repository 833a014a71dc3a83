/** For runtimes that have a URLPattern of their own. */
export const URLPattern: unknown = undefined;
