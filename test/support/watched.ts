import type {
  Command,
  Connection,
  ConnectionFactory,
  ScanOptions,
  Script,
  SendOptions,
} from "../../src/core/connection.js";

/** Round trips of a connection, in the order of sending. */
export type RoundTrip =
  | { readonly kind: "send"; readonly commands: readonly Command[]; readonly options: SendOptions }
  | { readonly kind: "script"; readonly script: Script }
  | { readonly kind: "scan"; readonly options: ScanOptions };

export interface Watched {
  readonly factory: ConnectionFactory;
  readonly roundTrips: RoundTrip[];
  /** The error of every round trip from now on. */
  fail(error: unknown): void;
  /** Round trips succeed from now on. */
  recover(): void;
  /** Each round trip waits for this before it is sent. */
  delay(until: Promise<void>): void;
}

/** A connection factory that records its round trips and lets a test delay or fail them. */
export function watched(inner: ConnectionFactory): Watched {
  const roundTrips: RoundTrip[] = [];
  let failure: { error: unknown } | undefined;
  let way: Promise<void> | undefined;
  const note = async (roundTrip: RoundTrip): Promise<void> => {
    roundTrips.push(roundTrip);
    await way;
    if (failure) throw failure.error;
  };
  return {
    roundTrips,
    fail(error) {
      failure = { error };
    },
    recover() {
      failure = undefined;
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

function watch(inner: Connection, note: (roundTrip: RoundTrip) => Promise<void>): Connection {
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
