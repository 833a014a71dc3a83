import type { Connection } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";

/** Replaces the connection on hosts where only an invocation can have one. Every command throws, before any I/O. */
export function outsideInvocation(name: string): Connection {
  const refusal = () =>
    new ConfigurationError(
      `${name}: on this host a socket belongs to one request, and this cache belongs to none; ` +
        "inside the handler use cache.for({ waitUntil: (p) => ctx.waitUntil(p) }), and close that when the request is done",
    );
  const close = async (): Promise<void> => {};
  return {
    send: async () => {
      throw refusal();
    },
    script: async () => {
      throw refusal();
    },
    // biome-ignore lint/correctness/useYield: there is nothing to scan
    async *scan() {
      throw refusal();
    },
    status: () => ({ state: "idle", lastError: undefined }),
    close,
    [Symbol.asyncDispose]: close,
  };
}
