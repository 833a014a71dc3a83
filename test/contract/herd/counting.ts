import type { Command, Connection, ConnectionFactory } from "../../../src/core/connection.js";

/** Commands of near caches: lifetimes in the same round trip, and once the role of the server. */
const OF_NEAR_CACHES = ["PTTL", "HELLO"];

/** Comes between, and tells the roundTrips that connections were asked for: the names of the commands in each. */
export function counting(): { watch: (factory: ConnectionFactory) => ConnectionFactory; roundTrips: string[][] } {
  const roundTrips: string[][] = [];
  const note = (connection: Connection): Connection => ({
    send: (commands, options) => {
      const names = commands.map(([name]: Command) => name).filter((name) => !OF_NEAR_CACHES.includes(name));
      if (names.length > 0) roundTrips.push(names);
      return connection.send(commands, options);
    },
    script: (script, keys, args, options) => {
      roundTrips.push([script.name]);
      return connection.script(script, keys, args, options);
    },
    scan: (options) => connection.scan(options),
    status: () => connection.status(),
    close: () => connection.close(),
    [Symbol.asyncDispose]: () => connection.close(),
  });
  return {
    roundTrips,
    watch: (factory) => ({
      shares: factory.shares,
      connect: (location, invocation) => note(factory.connect(location, invocation)),
    }),
  };
}
