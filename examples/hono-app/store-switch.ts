import {
  type Connection,
  ConnectionError,
  type ConnectionEvent,
  type ConnectionFactory,
  type ListenerAccess,
  type ListenerSocket,
} from "valkey-edge-cache";

/** How long a round trip takes to fail, as one that waits for a lost server. */
const FAILS_AFTER_MS = 100;
/** The breaker opens after so many failures in a row, as that of a connection to a server does. */
const THRESHOLD = 3;
/** How long an open breaker refuses round trips before it lets one through, as a probe. */
const WINDOW_MS = 500;

/** What the store's failure has come to. */
export interface Outage {
  readonly isFailing: boolean;
  readonly remainingMs: number;
  readonly breaker: "closed" | "open" | "half-open";
  /** Round trips that waited for the store in vain. */
  readonly failed: number;
  /** Round trips that the open breaker has refused at once. */
  readonly refused: number;
  /** From the beginning until the breaker opened. */
  readonly openedAfterMs?: number | undefined;
  /** From the end until the breaker closed. */
  readonly closedAfterMs?: number | undefined;
}

/**
 * A switch between a cache and its store, which makes the store fail for a while. It stands before any connection factory:
 * the one in memory has no breaker of its own, so the switch has one, which works as that of a connection to a server.
 */
export class StoreSwitch {
  readonly #watchers = new Set<(event: ConnectionEvent) => void>();
  /** Connections on which near caches hear of changes: they end with the store. */
  readonly #listeners = new Set<ListenerSocket>();
  #startedMs = 0;
  #endsMs = 0;
  #failures = 0;
  /** When the open breaker lets a probe through; `undefined` while it is closed. */
  #probeMs: number | undefined;
  #isProbing = false;
  #counts: { failed: number; refused: number; openedAfterMs?: number; closedAfterMs?: number } = {
    failed: 0,
    refused: 0,
  };

  get isFailing(): boolean {
    return performance.now() < this.#endsMs;
  }

  /** Makes the store fail from now on, for so long. */
  failFor(ms: number): void {
    this.#startedMs = performance.now();
    this.#endsMs = this.#startedMs + ms;
    this.#counts = { failed: 0, refused: 0 };
    for (const socket of this.#listeners) socket.destroy();
  }

  outage(): Outage {
    const { isFailing } = this;
    const remainingMs = isFailing ? this.#endsMs - performance.now() : 0;
    return { isFailing, remainingMs, breaker: this.#state, ...this.#counts };
  }

  /** The connections of a factory, behind this switch. */
  wrap(inner: ConnectionFactory): ConnectionFactory {
    return {
      shares: inner.shares,
      connect: (location, invocation) => this.#wrapConnection(inner.connect(location, invocation)),
      listener: (location) => {
        const access = inner.listener?.(location);
        return typeof access === "object" ? this.#wrapListener(access) : access;
      },
    };
  }

  get #state(): "closed" | "open" | "half-open" {
    if (this.#probeMs === undefined) return "closed";
    return performance.now() < this.#probeMs ? "open" : "half-open";
  }

  #wrapConnection(inner: Connection): Connection {
    const guard = <T>(work: () => Promise<T>): Promise<T> => this.#guard(work);
    return {
      send: (commands, options) => guard(() => inner.send(commands, options)),
      script: (script, keys, args, options) => guard(() => inner.script(script, keys, args, options)),
      async *scan(options) {
        await guard(async () => {});
        yield* inner.scan(options);
      },
      status: () => {
        const status = inner.status();
        return this.#state === "closed" ? status : { ...status, state: this.#state, lastError: failure() };
      },
      watch: (listener) => {
        this.#watchers.add(listener);
        const unwatch = inner.watch?.(listener);
        return () => {
          this.#watchers.delete(listener);
          unwatch?.();
        };
      },
      replace: () => inner.replace?.(),
      close: () => inner.close(),
      [Symbol.asyncDispose]: () => inner.close(),
    };
  }

  #wrapListener(access: ListenerAccess): ListenerAccess {
    return {
      key: access.key,
      name: access.name,
      connectTimeoutMs: access.connectTimeoutMs,
      follows: access.follows,
      addresses: () => access.addresses(),
      login: () => access.login(),
      open: async (address, handlers) => {
        if (this.isFailing) throw failure();
        let socket: ListenerSocket | undefined;
        const closed = (error: Error | undefined): void => {
          if (socket) this.#listeners.delete(socket);
          handlers.closed(error);
        };
        socket = await access.open(address, { data: handlers.data, closed });
        this.#listeners.add(socket);
        return socket;
      },
    };
  }

  /** Not asynchronous, so that round trips begin in the order of their calls. */
  #guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#probeMs !== undefined) {
      if (this.#isProbing || this.#state === "open") {
        this.#counts.refused++;
        return Promise.reject(
          new ConnectionError(`the breaker is open after ${THRESHOLD} failures, so calls fail at once`),
        );
      }
      this.#isProbing = true;
      return this.#probe(work);
    }
    if (this.isFailing) return this.#fail();
    this.#failures = 0;
    return work();
  }

  async #probe<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (this.isFailing) return await this.#fail();
      const result = await work();
      this.#close();
      return result;
    } finally {
      this.#isProbing = false;
    }
  }

  async #fail(): Promise<never> {
    await new Promise((resolve) => setTimeout(resolve, FAILS_AFTER_MS));
    this.#counts.failed++;
    this.#failures++;
    if (this.#failures >= THRESHOLD) this.#open();
    throw failure();
  }

  #open(): void {
    const wasOpen = this.#probeMs !== undefined;
    this.#probeMs = performance.now() + WINDOW_MS;
    this.#counts.openedAfterMs ??= performance.now() - this.#startedMs;
    if (!wasOpen) this.#notify({ kind: "breaker", state: "open", error: failure() });
  }

  #close(): void {
    this.#probeMs = undefined;
    this.#failures = 0;
    this.#counts.closedAfterMs = performance.now() - this.#endsMs;
    this.#notify({ kind: "breaker", state: "closed", error: undefined });
  }

  #notify(event: ConnectionEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }
}

function failure(): ConnectionError {
  return new ConnectionError("the store does not answer: the switch of the example makes it fail");
}
