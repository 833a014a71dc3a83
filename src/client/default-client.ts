import type { Encoded } from "../codec/envelope.js";
import { type MaybePromise, refuseCycle } from "../core/async.js";
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
  foundIn,
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
import { Loads, type RunOptions } from "./loads.js";
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
  #loads: Loads | undefined;

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
    const { signal, call, forceRefresh } = options;
    const { codec, sharing } = this.context;
    if (forceRefresh) refuseCycle(sharing, key);
    const known = forceRefresh ? undefined : this.near?.value(key, codec, this.passes, call);
    if (known !== undefined) {
      call?.hit();
      return Promise.resolve(known);
    }
    const value = (forceRefresh ? sharing.forced : this.flights).run(
      key,
      (shared) => this.answer(key, loader, options, shared),
      signal ? (answer) => valueForLeader(answer, signal) : valueForLeader,
      (answer) => {
        if (call) recordShared(call, answer);
        return asHit(codec, answer, key);
      },
      signal,
      signal && ((error) => this.context.report(error, "getOrSet", key)),
    );
    return Promise.resolve(this.context.connection.near?.settle(value) ?? value);
  }

  async getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    const report = (error: unknown): void => this.context.report(error, "getOrSetMany", "");
    const values = await forOneCaller(
      (shared) => this.loads.answer(keys, loader, options, shared),
      options.signal,
      report,
    );
    return settleAll(this.context, values);
  }

  /**
   * Reads, or loads and writes. A stale value is answered, and loaded again in the background. Only a failing loader rejects,
   * or a value that can't be stored.
   */
  protected async answer(key: string, loader: Loader<unknown>, options: LoadOptions, shared: Shared): Promise<Answer> {
    let isStorable = true;
    const { connection, codec, clock } = this.context;
    const { call, forceRefresh } = options;
    try {
      const [reply = null] = forceRefresh ? [] : await connection.send([["GET", key]], this.reads);
      const found = foundIn(codec, reply, key, clock.now());
      if (found) {
        const { payload: encoded, isStale, deltaMs } = found;
        const decoded = codec.decode(encoded, key);
        const value = decoded instanceof Promise ? await decoded : decoded;
        call?.found(encoded.length, isStale ? 0 : deltaMs);
        if (!isStale) {
          call?.hit();
          return { value, encoded, found: "hit" };
        }
        call?.foundStale();
        const one: ManyLoader = async (_keys, context) => new Map([[key, await loader(context)]]);
        this.loads.refresh(new Map([[key, encoded]]), { method: "getOrSet", loader: one, options });
        return { value, encoded, found: "stale" };
      }
    } catch (error) {
      tolerate(this.context, error, "getOrSet", key);
      // A store that did not answer must not hold this caller up twice; one that holds rubbish is written over.
      isStorable = error instanceof DecodeError;
    }
    call?.miss();
    return this.#load(key, loader, options, shared, isStorable);
  }

  async #load(
    key: string,
    loader: Loader<unknown>,
    options: LoadOptions,
    shared: Shared,
    isStorable: boolean,
  ): Promise<Answer> {
    const { codec, sharing } = this.context;
    const { call, forceRefresh } = options;
    if (!forceRefresh) {
      // The loader is called now, for a caller who does not take what is stored.
      const forced = await sharing.forced.join(key, () => shared.signal());
      if (forced) return { ...forced, value: await asHit(codec, forced, key) };
    }
    const { value, ttlMs } = await this.load("getOrSet", key, loader, options, () => shared.signal());
    const encoded = isStorable && ttlMs !== undefined ? await codec.encode(value, key) : undefined;
    // Written or deleted in this process meanwhile: this value may be older than that.
    if (isStorable && shared.isCurrent()) {
      call?.carries(encoded === undefined ? [] : [encoded]);
      try {
        // What others began to load before is older.
        if (forceRefresh) sharing.forget(key);
        if (encoded !== undefined && ttlMs !== undefined) {
          await this.put(key, this.wrap(encoded, ttlMs));
          call?.stored(1);
        } else if (forceRefresh && value === undefined) await this.delete([key]);
      } catch (error) {
        tolerate(this.context, error, "getOrSet", key);
      }
    }
    return { value: await asHit(codec, { value, encoded }, key), encoded, found: "miss" };
  }

  /** What the process knows of values; `undefined` also where a subclass reads them in its own way, which must not be bypassed. */
  protected get near(): NearReads | undefined {
    const { decode, answer } = this.usual;
    return this.decode === decode && this.answer === answer ? this.context.connection.near : undefined;
  }

  /** Whether a fresh value is to be refreshed, and so to be looked up, although the process knows it. */
  protected readonly passes: Passes | undefined;

  /** Loads of several keys, and in the background. */
  protected get loads(): Loads {
    this.#loads ??= new Loads({
      context: this.context,
      read: (keys, stale, call) => this.#readMany("getMany", keys, this.reads, call, stale),
      load: (method, loader, options, { signal, ...run }) =>
        this.load(method, method === "getOrSet" ? (run.keys?.[0] ?? "") : "", loader, options, signal, run),
      write: (pairs, encoded, options) => this.#write(this.context.connection, pairs, encoded, options),
      delete: (keys) => this.delete(keys),
    });
    return this.#loads;
  }

  override close(): Promise<void> {
    return this.#loads?.ended() ?? super.close();
  }

  /** Runs a loader. @throws what it throws */
  protected load(
    method: string,
    key: string,
    loader: Loader<unknown>,
    options: LoadOptions,
    signal: () => AbortSignal | undefined,
    run: Omit<RunOptions, "signal"> = { stale: undefined },
  ): Promise<Loaded> {
    const never = () => new AbortController().signal;
    return load(
      this.context,
      { ...run, method, key, loader, options, signal: () => signal() ?? never() },
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
    call: CacheCall | undefined,
    stale?: Map<string, Encoded>,
  ): Promise<unknown[]> {
    const decode: ReadManyOptions["decode"] = (reply, key, nowMs) => {
      const found = stale && foundIn(this.context.codec, reply, key, nowMs);
      if (found?.isStale) stale?.set(key, found.payload);
      return this.decode(reply, key, nowMs, call);
    };
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
