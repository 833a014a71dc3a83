import type { Encoded } from "../codec/envelope.js";
import { BATCH_SIZE, inTurns, type MaybePromise, nextTurn } from "../core/async.js";
import type { Connection, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, throwIfError } from "../core/errors.js";
import type { CacheCall } from "../core/events.js";
import type { NearReads, Passes } from "../core/near.js";
import { checkOptions, isWait, orNull } from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import { type ReadManyOptions, readMany, settleAll } from "./bulk-reads.js";
import { type Pair, setCommand, type WriteManyOptions, writeMany } from "./bulk-writes.js";
import type { Client, ClientContext, ClientFactory, Loader, LoadOptions, ManyLoader, WriteOptions } from "./client.js";
import { SET_IF } from "./entry-scripts.js";
import {
  freshPayload,
  KeyCommands,
  loadedIn,
  milliseconds,
  READ,
  REPEATABLE,
  type Stored,
  toStored,
} from "./key-commands.js";
import { asHit, type Loaded, load } from "./loading.js";
import { sameSlot, tolerate } from "./refusals.js";
import { type Answer, forOneCaller, recordShared, type Shared, valueForLeader } from "./single-flight.js";

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
  /** Has the usual ways of reading values. */
  protected readonly usual: DefaultClient = DefaultClient.prototype;
  readonly #hardTimeoutMs: number;

  constructor(context: ClientContext, { hardTimeoutMs = 60_000 }: { readonly hardTimeoutMs?: number } = {}) {
    super(context);
    this.#hardTimeoutMs = hardTimeoutMs;
    this.reads = context.codec.text ? READ_TEXT : READ;
  }

  get(key: string, call?: CacheCall): Promise<unknown> {
    const { connection, codec } = this.context;
    const known = this.near?.value(key, codec, undefined, call);
    if (known !== undefined) return Promise.resolve(known);
    return connection
      .send([["GET", key]], this.reads)
      .then(([reply = null]) => this.decode(reply, key, this.context.clock.now(), call));
  }

  getMany(keys: readonly string[], call?: CacheCall): Promise<unknown[]> {
    return this.#readMany("getMany", keys, this.reads, call);
  }

  mget(keys: readonly string[], call?: CacheCall): Promise<unknown[]> {
    return sameSlot(keys, this.#readMany("mget", keys, { ...this.reads, atomic: true }, call));
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

  async setMany(entries: ReadonlyMap<string, unknown>, ttlMs: number | null, call?: CacheCall): Promise<string[]> {
    const { connection, codec } = this.context;
    const pairs = [...entries];
    return connection.inOrder(codec.encodeAll(pairs), (ordered, encoded) =>
      this.#write(ordered, pairs, encoded, { ttlMs, method: "setMany", call }),
    );
  }

  async mset(entries: ReadonlyMap<string, unknown>, ttlMs: number | null, call?: CacheCall): Promise<void> {
    const { connection, codec, sharing } = this.context;
    const pairs = [...entries];
    return connection.inOrder(codec.encodeAll(pairs), async (ordered, encoded) => {
      const keys = pairs.map(([key]) => key);
      for (const key of keys) sharing.forget(key);
      const commands = keys.map((key, i) => setCommand(key, this.wrap(encoded[i] ?? "", ttlMs)));
      call?.carries(encoded);
      for (const reply of await sameSlot(keys, ordered.send(commands, ATOMIC))) throwIfError(reply);
    });
  }

  getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown> {
    const { signal, call } = options;
    const known = this.near?.value(key, this.context.codec, this.passes, call);
    if (known !== undefined) {
      call?.hit();
      return Promise.resolve(known);
    }
    const value = this.flights.run(
      key,
      (shared) => this.answer(key, loader, options, shared),
      signal ? (answer) => valueForLeader(answer, signal) : valueForLeader,
      (answer) => {
        if (call) recordShared(call, answer);
        return asHit(this.context.codec, answer, key);
      },
      signal,
      signal && ((error) => this.context.report(error, "getOrSet", key)),
    );
    return Promise.resolve(this.context.connection.near?.settle(value) ?? value);
  }

  async getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    const report = (error: unknown): void => this.context.report(error, "getOrSetMany", "");
    const values = await forOneCaller(
      (shared) => this.#answerMany(keys, loader, options, shared),
      options.signal,
      report,
    );
    return settleAll(this.context, values);
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
      const read = await this.getMany(keys, options.call);
      await inTurns(keys, (key, i) => void (read[i] === undefined ? missing.push(key) : values.set(key, read[i])));
      options.call?.hit(values.size);
      options.call?.miss(missing.length);
    } catch (error) {
      tolerate(context, error, "getOrSetMany", "");
      storable = error instanceof DecodeError;
      missing = [...keys];
      options.call?.miss(keys.length);
    }
    if (missing.length === 0) return values;
    const watch = context.sharing.watch(missing);
    try {
      const many: Loader<unknown> = (loaderContext) => loader(missing, loaderContext);
      const { value, ttlMs } = await this.load("getOrSetMany", "", many, options, () => shared.signal(), missing);
      const loaded = [...(value as ReadonlyMap<string, unknown>)].filter(([, one]) => one !== undefined);
      const isStored = storable && ttlMs !== undefined;
      const encoded = isStored ? await context.codec.encodeAll(loaded) : [];
      if (isStored) await this.#storeLoaded(loaded, encoded, ttlMs, watch.current, options.call);
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
    call: CacheCall | undefined,
  ): Promise<void> {
    try {
      const options = { ttlMs, method: "getOrSetMany", only, call };
      await this.#write(this.context.connection, loaded, encoded, options);
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
        options.call?.found(encoded.length, stored === undefined ? 0 : loadedIn(stored, key));
        options.call?.hit();
        return { value, encoded, found: "hit" };
      }
    } catch (error) {
      tolerate(this.context, error, "getOrSet", key);
      // A store that did not answer must not hold this caller up twice; one that holds rubbish is written over.
      storable = error instanceof DecodeError;
    }
    options.call?.miss();
    const { value, ttlMs } = await this.load("getOrSet", key, loader, options, () => shared.signal());
    const { codec } = this.context;
    const found = "miss";
    if (!storable || ttlMs === undefined)
      return { value: await asHit(codec, { value, encoded: undefined }, key), encoded: undefined, found };
    const encoded = await codec.encode(value, key);
    // Written or deleted in this process meanwhile: this value may be older than that.
    if (shared.isCurrent()) {
      options.call?.carries([encoded]);
      try {
        await this.put(key, this.wrap(encoded, ttlMs));
        options.call?.stored(1);
      } catch (error) {
        tolerate(this.context, error, "getOrSet", key);
      }
    }
    return { value: await asHit(codec, { value, encoded }, key), encoded, found };
  }

  /** What the process knows of values; `undefined` also where a subclass reads them in its own way, which must not be bypassed. */
  protected get near(): NearReads | undefined {
    const { decode, answer } = this.usual;
    return this.decode === decode && this.answer === answer ? this.context.connection.near : undefined;
  }

  /** Whether a fresh value is to be refreshed, and so to be looked up, although the process knows it. */
  protected readonly passes: Passes | undefined;

  /** Runs a loader. @throws what it throws */
  protected load(
    method: string,
    key: string,
    loader: Loader<unknown>,
    options: LoadOptions,
    signal: () => AbortSignal | undefined,
    keys: readonly string[] = [key],
  ): Promise<Loaded> {
    const never = () => new AbortController().signal;
    return load(
      this.context,
      { method, key, keys, loader, stale: undefined, options, signal: () => signal() ?? never() },
      this.#hardTimeoutMs,
    );
  }

  /** Writes, whatever is there. @throws {ReplyError} */
  protected async put(key: string, write: Stored): Promise<void> {
    const [reply = null] = await this.context.connection.send([setCommand(key, write)], REPEATABLE);
    throwIfError(reply);
  }

  /** What a reply to a read says. @throws {DecodeError} @throws {ReplyError} */
  protected decode(reply: Reply, key: string, nowMs: number, call?: CacheCall): MaybePromise<unknown> {
    const { codec } = this.context;
    const stored = toStored(reply, key);
    const payload = stored === undefined ? undefined : freshPayload(codec, stored, key, nowMs);
    if (payload === undefined) return undefined;
    const decoded = codec.decode(payload, key);
    const value = this.context.connection.near?.settle(decoded) ?? decoded;
    call?.found(payload.length, stored === undefined ? 0 : loadedIn(stored, key));
    return value;
  }

  #readMany(
    method: ReadManyOptions["method"],
    keys: readonly string[],
    send: SendOptions,
    call?: CacheCall,
  ): Promise<unknown[]> {
    const decode: ReadManyOptions["decode"] = (reply, key, nowMs) => this.decode(reply, key, nowMs, call);
    return readMany(this.context, keys, { method, send, decode, call, near: send.atomic ? undefined : this.near });
  }

  #write(
    connection: Connection,
    pairs: readonly Pair[],
    encoded: readonly Encoded[],
    options: Omit<WriteManyOptions, "wrap">,
  ): Promise<string[]> {
    const wrap = (one: Encoded) => this.wrap(one, options.ttlMs);
    return writeMany(this.context, connection, pairs, encoded, { ...options, wrap });
  }

  #set(
    connection: Connection,
    key: string,
    encoded: Encoded,
    { ttlMs, condition, call }: WriteOptions,
  ): Promise<boolean> {
    call?.carries([encoded]);
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
