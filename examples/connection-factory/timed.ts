import type { Connection, ConnectionFactory } from "valkey-edge-cache";

/** A finished round trip. */
export interface RoundTrip {
  /** The number of its commands. */
  readonly commands: number;
  readonly ms: number;
  readonly failed: boolean;
}

/** Connections of another factory that report the time of each round trip. */
export function timed(inner: ConnectionFactory, report: (roundTrip: RoundTrip) => void): ConnectionFactory {
  return {
    shares: inner.shares,
    connect: (location, invocation) => timedConnection(inner.connect(location, invocation), report),
  };
}

function timedConnection(inner: Connection, report: (roundTrip: RoundTrip) => void): Connection {
  async function time<T>(commands: number, reply: Promise<T>): Promise<T> {
    const startMs = performance.now();
    let failed = true;
    try {
      const result = await reply;
      failed = false;
      return result;
    } finally {
      report({ commands, ms: performance.now() - startMs, failed });
    }
  }
  return {
    send: (commands, options) => time(commands.length, inner.send(commands, options)),
    script: (script, keys, args, options) => time(1, inner.script(script, keys, args, options)),
    scan: (options) => inner.scan(options),
    status: () => inner.status(),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  };
}
