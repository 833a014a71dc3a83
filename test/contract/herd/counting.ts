import type { Command, Connection, ConnectionFactory } from "../../../src/core/connection.js";

/** Comes between, and tells the flights that connections were asked for: the names of the commands in each. */
export function counting(): { watch: (factory: ConnectionFactory) => ConnectionFactory; flights: string[][] } {
  const flights: string[][] = [];
  const note = (connection: Connection): Connection => ({
    send: (commands, options) => {
      flights.push(commands.map(([name]: Command) => name));
      return connection.send(commands, options);
    },
    script: (script, keys, args, options) => {
      flights.push([script.name]);
      return connection.script(script, keys, args, options);
    },
    scan: (options) => connection.scan(options),
    status: () => connection.status(),
    close: () => connection.close(),
    [Symbol.asyncDispose]: () => connection.close(),
  });
  return {
    flights,
    watch: (factory) => ({
      shares: factory.shares,
      connect: (location, invocation) => note(factory.connect(location, invocation)),
    }),
  };
}
