import type { Encoded } from "../codec/envelope.js";
import { BATCH_SIZE, inTurns, type MaybePromise, nextTurn, untilAborted } from "../core/async.js";
import type { Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, ReplyError, throwIfError } from "../core/errors.js";
import { checkOptions, isWait, orNull } from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import type { Client, ClientContext, ClientFactory, Loader, LoadOptions, ManyLoader, WriteOptions } from "./client.js";
import { SET_IF } from "./entry-scripts.js";
import { freshPayload, KeyCommands, milliseconds, READ, REPEATABLE, type Stored, toStored } from "./key-commands.js";
import { asHit, type Loaded, load } from "./loading.js";
import { sameSlot, tolerate } from "./refusals.js";
import { type Answer, forOneCaller, type Shared } from "./single-flight.js";

const READ_TEXT: SendOptions = { readOnly: true, text: true };
const ATOMIC: SendOptions = { atomic: true, idempotent: true };

/** Options of `defaultClient()`. */
export interface DefaultClientOptions {
  /** How long a loader may take unless the call has its own `hardTimeout`; `null` for no limit. @default "60s" */
  hardTimeout?: Duration | null | undefined;
}

export const defaultClientDefaults = { hardTimeout: "60s" } as const satisfies Required<DefaultClientOptions>;

/** One entry for each key, stored as Django's caches store it. @throws {ConfigurationError} on wrong options */
export function defaultClient(options: DefaultClientOptions = {}): ClientFactory {
  checkOptions<DefaultClientOptions>("defaultClient", options, { hardTimeout: orNull(isWait) });
  const { hardTimeout = defaultClientDefaults.hardTimeout } = options;
  const hardTimeoutMs = hardTimeout === null ? Infinity : toMs(hardTimeout, "hardTimeout");
  return (context) => new DefaultClient(context, { hardTimeoutMs });
}

export class DefaultClient extends KeyCommands implements Client {
  protected readonly reads: SendOptions;
  readonly #hardTimeoutMs: number;

  constructor(context: ClientContext, { hardTimeoutMs = 60_000 }: { readonly hardTimeoutMs?: number } = {}) {
    super(context);
    this.#hardTimeoutMs = hardTimeoutMs;
    this.reads = context.codec.text ? READ_TEXT : READ;
  }

  get(key: string): Promise<unknown> {
    return this.context.connection.send([["GET", key]], this.reads).then(([reply = null]) => this.decode(reply, key));
  }

  getMany(keys: readonly string[]): Promise<unknown[]> {
    return this.#values("getMany", keys, this.reads);
  }

  mget(keys: readonly string[]): Promise<unknown[]> {
    return sameSlot(keys, this.#values("mget", keys, { ...this.reads, atomic: true }));
  }

  set(key: string, value: unknown, options: WriteOptions): Promise<boolean> {
    const { connection, codec, sharing } = this.context;
    try {
      const encoded = codec.encode(value, key);
      sharing.forget(key);
      if (!(encoded instanceof Promise)) return this.#set(connection, key, encoded, options);
      return connection.inOrder(encoded, (ordered, prepared) => {
        sharing.forget(key);
        return this.#set(ordered, key, prepared, options);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async setMany(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<string[]> {
    const { connection, codec } = this.context;
    const pairs = [...entries];
    return connection.inOrder(codec.encodeAll(pairs), (ordered, encoded) =>
      this.#write(ordered, pairs, encoded, { ttlMs, method: "setMany" }),
    );
  }

  async mset(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<void> {
    const { connection, codec, sharing } = this.context;
    const pairs = [...entries];
    return connection.inOrder(codec.encodeAll(pairs), async (ordered, encoded) => {
      const keys = pairs.map(([key]) => key);
      for (const key of keys) sharing.forget(key);
      const commands = keys.map((key, i) => setCommand(key, this.wrap(encoded[i] ?? "", ttlMs)));
      for (const reply of await sameSlot(keys, ordered.send(commands, ATOMIC))) throwIfError(reply);
    });
  }

  getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown> {
    const { signal } = options;
    return this.flights.run(
      key,
      (shared) => this.answer(key, loader, options, shared),
      signal ? (answer) => valueForLeader(answer, signal) : valueForLeader,
      (answer) => asHit(this.context.codec, answer, key),
      signal,
      signal && ((error) => this.context.report(error, "getOrSet", key)),
    );
  }

  async getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    const report = (error: unknown): void => this.context.report(error, "getOrSetMany", "");
    return forOneCaller((shared) => this.#answerMany(keys, loader, options, shared), options.signal, report);
  }

  async #answerMany(
    keys: readonly string[],
    loader: ManyLoader,
    options: LoadOptions,
    shared: Shared,
  ): Promise<Map<string, unknown>> {
    const { context } = this;
    const values = new Map<string, unknown>();
    let missing: string[] = [];
    let storable = true;
    try {
      const read = await this.getMany(keys);
      await inTurns(keys, (key, i) => void (read[i] === undefined ? missing.push(key) : values.set(key, read[i])));
    } catch (error) {
      tolerate(context, error, "getOrSetMany", "");
      storable = error instanceof DecodeError;
      missing = [...keys];
    }
    if (missing.length === 0) return values;
    const watch = context.sharing.watch(missing);
    try {
      const many: Loader<unknown> = (loaderContext) => loader(missing, loaderContext);
      const { value, ttlMs } = await this.load("", many, undefined, options, () => shared.signal(), missing);
      const loaded = [...(value as ReadonlyMap<string, unknown>)].filter(([, one]) => one !== undefined);
      const isStored = storable && ttlMs !== undefined;
      const encoded = isStored ? await context.codec.encodeAll(loaded) : [];
      if (isStored) await this.#storeLoaded(loaded, encoded, ttlMs, watch.current);
      for (const [i, [key, one]] of loaded.entries()) {
        if (i > 0 && i % BATCH_SIZE === 0) await nextTurn();
        values.set(key, await asHit(context.codec, { value: one, encoded: encoded[i] }, key));
      }
      return values;
    } finally {
      watch.end();
    }
  }

  /**
   * Writes loaded values, but none whose key was written or deleted in this process meanwhile, as it may be older than that.
   * A store error neither fails the caller nor is lost.
   */
  async #storeLoaded(
    loaded: readonly Pair[],
    encoded: readonly Encoded[],
    ttlMs: number | null,
    only: ReadonlySet<string>,
  ): Promise<void> {
    try {
      await this.#write(this.context.connection, loaded, encoded, { ttlMs, method: "getOrSetMany", only });
    } catch (error) {
      tolerate(this.context, error, "getOrSetMany", "");
    }
  }

  /** Reads, or loads and writes. Only a failing loader rejects, or a value that can't be stored. */
  protected async answer(key: string, loader: Loader<unknown>, options: LoadOptions, shared: Shared): Promise<Answer> {
    let storable = true;
    try {
      const replies = await this.context.connection.send([["GET", key]], this.reads);
      const stored = toStored(replies[0] ?? null, key);
      const encoded = stored && freshPayload(this.context.codec, stored, key, this.context.clock.now());
      if (encoded !== undefined) {
        const decoded = this.context.codec.decode(encoded, key);
        const value = decoded instanceof Promise ? await decoded : decoded;
        this.context.events.emit("hit", () => ({ key }));
        return { value, encoded };
      }
    } catch (error) {
      tolerate(this.context, error, "getOrSet", key);
      // A store that did not answer must not hold this caller up twice; one that holds rubbish is written over.
      storable = error instanceof DecodeError;
    }
    const { value, ttlMs } = await this.load(key, loader, undefined, options, () => shared.signal());
    const { codec } = this.context;
    if (!storable || ttlMs === undefined)
      return { value: await asHit(codec, { value, encoded: undefined }, key), encoded: undefined };
    const encoded = await codec.encode(value, key);
    // Written or deleted in this process meanwhile: this value may be older than that.
    if (shared.isCurrent()) {
      await this.put(key, this.wrap(encoded, ttlMs)).catch((error: unknown) => {
        tolerate(this.context, error, "getOrSet", key);
      });
    }
    return { value: await asHit(codec, { value, encoded }, key), encoded };
  }

  /** Runs a loader. @throws what it throws */
  protected load(
    key: string,
    loader: Loader<unknown>,
    stale: unknown,
    options: LoadOptions,
    signal: () => AbortSignal | undefined,
    keys: readonly string[] = [key],
  ): Promise<Loaded> {
    const never = () => new AbortController().signal;
    return load(
      this.context,
      { key, keys, loader, stale, options, signal: () => signal() ?? never() },
      this.#hardTimeoutMs,
    );
  }

  /** Writes, whatever is there. @throws {ReplyError} */
  protected async put(key: string, write: Stored): Promise<void> {
    const [reply = null] = await this.context.connection.send([setCommand(key, write)], REPEATABLE);
    throwIfError(reply);
  }

  /** What a reply to a read says. @throws {DecodeError} @throws {ReplyError} */
  protected decode(reply: Reply, key: string, nowMs = this.context.clock.now()): MaybePromise<unknown> {
    const { codec } = this.context;
    const stored = toStored(reply, key);
    const payload = stored === undefined ? undefined : freshPayload(codec, stored, key, nowMs);
    return payload === undefined ? undefined : codec.decode(payload, key);
  }

  async #values(method: "getMany" | "mget", keys: readonly string[], options: SendOptions): Promise<unknown[]> {
    // A read at one moment is one command, whatever its length.
    const size = options.atomic ? Math.max(1, keys.length) : BATCH_SIZE;
    const values: unknown[] = [];
    for (let start = 0; start < keys.length; start += size) {
      if (start > 0) await nextTurn();
      const batch = size < keys.length ? keys.slice(start, start + size) : keys;
      const [reply = null] = await this.context.connection.send([["MGET", ...batch]], options);
      const replies = throwIfError(reply);
      const nowMs = this.context.clock.now();
      for (const [i, key] of batch.entries()) {
        if (i > 0 && i % BATCH_SIZE === 0) await nextTurn();
        try {
          const value = this.decode(Array.isArray(replies) ? (replies[i] ?? null) : null, key, nowMs);
          values.push(value instanceof Promise ? await value : value);
        } catch (error) {
          values.push(undefined);
          this.context.forgive(error, method, key);
        }
      }
    }
    return values;
  }

  /** Writes entries in batches, and reports those that the server refuses. @returns their keys */
  async #write(
    connection: Connection,
    pairs: readonly Pair[],
    encoded: readonly Encoded[],
    { ttlMs, method, only }: WriteManyOptions,
  ): Promise<string[]> {
    const failed: string[] = [];
    for (let start = 0; start < pairs.length; start += BATCH_SIZE) {
      if (start > 0) await nextTurn();
      const commands: Command[] = [];
      const keys: string[] = [];
      for (let i = start; i < Math.min(start + BATCH_SIZE, pairs.length); i++) {
        const key = pairs[i]?.[0] ?? "";
        if (only && !only.has(key)) continue;
        this.context.sharing.forget(key);
        keys.push(key);
        commands.push(setCommand(key, this.wrap(encoded[i] ?? "", ttlMs)));
      }
      const replies = commands.length === 0 ? [] : await connection.send(commands, REPEATABLE);
      for (const [i, key] of keys.entries()) {
        const reply = replies[i];
        if (!(reply instanceof ReplyError)) continue;
        failed.push(key);
        this.context.report(reply, method, key);
      }
    }
    return failed;
  }

  #set(connection: Connection, key: string, encoded: Encoded, { ttlMs, condition }: WriteOptions): Promise<boolean> {
    const write = this.wrap(encoded, ttlMs);
    if (condition) {
      const args = [write.stored, milliseconds(write.ttlMs), condition];
      return connection.script(SET_IF, [key], args).then((reply) => reply === 1);
    }
    return connection.send([setCommand(key, write)], REPEATABLE).then(([reply = null]) => {
      throwIfError(reply);
      return true;
    });
  }
}

type Pair = readonly [key: string, value: unknown];

interface WriteManyOptions {
  readonly ttlMs: number | null;
  readonly method: string;
  /** The keys that may still be written when their turn comes. @default all */
  readonly only?: ReadonlySet<string>;
}

/** The value for the caller that has loaded it. It waits for a refresh, which callers that joined do not. */
function valueForLeader({ value, refreshed }: Answer, signal?: AbortSignal): unknown {
  if (!refreshed) return value;
  const newest = refreshed.then((answer) => (answer ?? { value }).value);
  return signal ? untilAborted(newest, signal) : newest;
}

function setCommand(key: string, { stored, ttlMs }: Stored): Command {
  return ttlMs === null ? ["SET", key, stored] : ["SET", key, stored, "PX", String(ttlMs)];
}
