import type { MaybePromise } from "../core/async.js";
import type {
  Argument,
  Command,
  Connection,
  ConnectionEvent,
  ConnectionStatus,
  OrderedConnection,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../core/connection.js";
import { ConnectionError } from "../core/errors.js";
import type { NearReads } from "../core/near.js";
import type { CredentialSource } from "./credentials.js";
import { withDeadline } from "./resilience/deadline.js";

export interface Entry {
  readonly connection: Connection;
  readonly credentials: CredentialSource | undefined;
  handles: number;
}

/** What the callers of a process share. */
export interface Registry {
  /** The open connections, by their full configuration: only equal configurations share one. */
  readonly entries: Map<string, Entry>;
  readonly identities: WeakMap<object, number>;
  lastIdentity: number;
  /** What else callers share, by name. */
  readonly things: Map<string, unknown>;
}

export function newRegistry(): Registry {
  return { entries: new Map(), identities: new WeakMap(), lastIdentity: 0, things: new Map() };
}

let registry = newRegistry();

/** Uses a registry that other copies of this library in the process use as well. */
export function shareRegistry(shared: Registry): void {
  registry = shared;
}

/**
 * A handle to the process's one connection for a configuration. The connection closes with its last handle.
 * @param key everything in which two configurations can differ, credentials included; it never leaves this map
 * @param credentials what `make` logs in with, if that changes; a shared connection uses the newest function
 */
export function sharedConnection(
  key: string,
  make: () => Connection,
  credentials?: CredentialSource | undefined,
): OrderedConnection {
  const { entries } = registry;
  const entry = entries.get(key) ?? { connection: make(), credentials, handles: 0 };
  if (entry.credentials && credentials) entry.credentials.get = credentials.get;
  entries.set(key, entry);
  entry.handles++;
  return new SharedHandle(entry.connection, async () => {
    entry.handles--;
    if (entry.handles > 0) return;
    entries.delete(key);
    await entry.connection.close();
  });
}

/** A handle to a connection. @param release called when the handle is closed */
export function handleOf(connection: Connection, release: () => Promise<void>): OrderedConnection {
  return new SharedHandle(connection, release);
}

/** A number that identifies a function in keys; 0 for none. */
export function identityOf(one: object | undefined): number {
  if (!one) return 0;
  const identity = registry.identities.get(one) ?? ++registry.lastIdentity;
  registry.identities.set(one, identity);
  return identity;
}

/** One thing for all callers and all copies of this library in the process. @param make what the first of them makes */
export function registered<T>(name: string, make: () => T): T {
  const thing = (registry.things.get(name) ?? make()) as T;
  registry.things.set(name, thing);
  return thing;
}

/** How long commands wait for those of an earlier call that are still being prepared. */
const ORDER_LIMIT_MS = 1_000;

/** One handle. It refuses commands once it is closed, while other handles stay usable. */
class SharedHandle implements OrderedConnection {
  readonly #connection: Connection;
  readonly #release: () => Promise<void>;
  #released: Promise<void> | undefined;
  /** Resolves when the commands that are being prepared have been sent; `undefined` when there are none. */
  #order: Promise<void> | undefined;

  constructor(connection: Connection, release: () => Promise<void>) {
    this.#connection = connection;
    this.#release = release;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (this.#released) return Promise.reject(cacheClosedError());
    if (this.#order) return this.#order.then(() => this.#connection.send(commands, options));
    return this.#connection.send(commands, options);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    if (this.#released) return Promise.reject(cacheClosedError());
    if (this.#order) return this.#order.then(() => this.#connection.script(script, keys, args, options));
    return this.#connection.script(script, keys, args, options);
  }

  inOrder<T, R>(prepared: MaybePromise<T>, send: (connection: Connection, prepared: T) => Promise<R>): Promise<R> {
    if (this.#released) {
      if (prepared instanceof Promise) prepared.catch(() => {});
      return Promise.reject(cacheClosedError());
    }
    return prepared instanceof Promise ? this.#sendWhenPrepared(prepared, send) : send(this, prepared);
  }

  async #sendWhenPrepared<T, R>(
    prepared: Promise<T>,
    send: (connection: Connection, prepared: T) => Promise<R>,
  ): Promise<R> {
    const before = this.#order;
    // The reply is in an object, as it is not waited for here.
    const sending = Promise.all([prepared, before]).then(([value]) => ({ reply: send(this.#connection, value) }));
    const over = (): void => {};
    const order = withDeadline(sending, ORDER_LIMIT_MS, () => new Error()).then(over, over);
    this.#order = order;
    void order.then(() => {
      if (this.#order === order) this.#order = undefined;
    });
    return (await sending).reply;
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    if (this.#released) throw cacheClosedError();
    await this.#order;
    yield* this.#connection.scan(options);
  }

  watch(listener: (event: ConnectionEvent) => void): () => void {
    return this.#connection.watch?.(listener) ?? (() => {});
  }

  replace(): void {
    if (!this.#released) this.#connection.replace?.();
  }

  get near(): NearReads | undefined {
    // What was called before may be a write.
    return this.#order || this.#released ? undefined : this.#connection.near;
  }

  status(): ConnectionStatus {
    if (this.#released) throw cacheClosedError();
    return this.#connection.status();
  }

  close(): Promise<void> {
    // What was called before is still sent.
    this.#released ??= this.#order ? this.#order.then(this.#release) : this.#release();
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export function cacheClosedError(): ConnectionError {
  return new ConnectionError("the cache was closed; make a new one with createCache()");
}
