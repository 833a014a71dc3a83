import type { Connection, ConnectionFactory } from "../../../src/core/connection.js";

export interface FailingScripts {
  readonly watch: (factory: ConnectionFactory) => ConnectionFactory;
  /** From now on scripts of this name are not run, and fail with this: by throwing at once, or by a promise. */
  fail(name: string, thrown: unknown, atOnce: boolean): void;
  heal(): void;
}

/** Comes between caches and the store, and lets scripts fail. */
export function failingScripts(): FailingScripts {
  let failure: { name: string; thrown: unknown; atOnce: boolean } | undefined;
  const between = (connection: Connection): Connection => ({
    send: (commands, options) => connection.send(commands, options),
    script(script, keys, args, options) {
      if (failure?.name !== script.name) return connection.script(script, keys, args, options);
      if (failure.atOnce) throw failure.thrown;
      return Promise.reject(failure.thrown);
    },
    scan: (options) => connection.scan(options),
    status: () => connection.status(),
    close: () => connection.close(),
    [Symbol.asyncDispose]: () => connection.close(),
  });
  return {
    watch: (factory) => ({
      shares: factory.shares,
      connect: (location, invocation) => between(factory.connect(location, invocation)),
    }),
    fail(name, thrown, atOnce) {
      failure = { name, thrown, atOnce };
    },
    heal() {
      failure = undefined;
    },
  };
}
