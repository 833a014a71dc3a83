import type { Connection, ConnectionFactory } from "valkey-edge-cache";

/** What is told of each flight. */
export interface Flight {
  /** How many commands it carried. */
  readonly commands: number;
  readonly ms: number;
  readonly failed: boolean;
}

/** Connections of another factory, of which each flight is timed. */
export function timed(inner: ConnectionFactory, tell: (flight: Flight) => void): ConnectionFactory {
  return {
    shares: inner.shares,
    connect: (location, invocation) => timedConnection(inner.connect(location, invocation), tell),
  };
}

function timedConnection(inner: Connection, tell: (flight: Flight) => void): Connection {
  async function time<T>(commands: number, flight: Promise<T>): Promise<T> {
    const startMs = performance.now();
    let failed = true;
    try {
      const reply = await flight;
      failed = false;
      return reply;
    } finally {
      tell({ commands, ms: performance.now() - startMs, failed });
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
