import type {
  Command,
  Connection,
  ConnectionFactory,
  ScanOptions,
  Script,
  SendOptions,
} from "../../src/core/connection.js";

/** What went over a connection, in the order in which it was sent. */
export type Flight =
  | { readonly kind: "send"; readonly commands: readonly Command[]; readonly options: SendOptions }
  | { readonly kind: "script"; readonly script: Script }
  | { readonly kind: "scan"; readonly options: ScanOptions };

export interface Watched {
  readonly factory: ConnectionFactory;
  readonly flights: Flight[];
  /** From now on every flight fails with this. */
  fail(error: unknown): void;
  /** Flights wait for this before they are on their way. */
  delay(until: Promise<void>): void;
}

/** A connection factory that lets a test see its flights, and get between. */
export function watched(inner: ConnectionFactory): Watched {
  const flights: Flight[] = [];
  let failure: { error: unknown } | undefined;
  let way: Promise<void> | undefined;
  const note = async (flight: Flight): Promise<void> => {
    flights.push(flight);
    await way;
    if (failure) throw failure.error;
  };
  return {
    flights,
    fail(error) {
      failure = { error };
    },
    delay(until) {
      way = until;
    },
    factory: {
      shares: inner.shares,
      connect: (location, invocation) => watch(inner.connect(location, invocation), note),
    },
  };
}

function watch(inner: Connection, note: (flight: Flight) => Promise<void>): Connection {
  return {
    async send(commands, options = {}) {
      await note({ kind: "send", commands, options });
      return inner.send(commands, options);
    },
    async script(script, keys, args, options) {
      await note({ kind: "script", script });
      return inner.script(script, keys, args, options);
    },
    async *scan(options) {
      await note({ kind: "scan", options });
      yield* inner.scan(options);
    },
    status: () => inner.status(),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  };
}
