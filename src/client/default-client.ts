import type { Encoded } from "../codec/envelope.js";
import { chain, type MaybePromise, refuseCycle } from "../core/async.js";
import type { Connection, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, throwIfError } from "../core/errors.js";
import type { CacheCall } from "../core/events.js";
import type { NearReads, Passes } from "../core/near.js";
import { checkOptions, isWait, orNull } from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import { type ReadManyOptions, readMany, settleAll } from "./bulk-reads.js";
import { type Pair, setCommand, type WriteManyOptions, writeIf, writeMany, writeOne } from "./bulk-writes.js";
import type {
  Client,
  ClientContext,
  ClientFactory,
  Loader,
  LoadOptions,
  ManyLoader,
  WriteEntriesOptions,
  WriteOptions,
} from "./client.js";
import { type DecodeOptions, type Found, foundIn, KeyCommands, READ, type Stored } from "./key-commands.js";
import { asHit, type Load, type Loaded, load } from "./loading.js";
import { keyOf, Loads } from "./loads.js";
import { sameSlot, tolerate } from "./refusals.js";
import { type Answer, forOneCaller, recordShared, type Shared, valueForLeader } from "./single-flight.js";
import {
  encodedNow,
  mayShare,
  readLog,
  sendWithLog,
  tagLoaded,
  tagsOnly,
  untilRead,
  withoutTags,
} from "./tagged-entries.js";

const READ_TEXT: SendOptions = { readOnly: true, text: true };
const ATOMIC: SendOptions = { atomic: true, idempotent: true };

/** Options of `defaultClient()`. */
export interface DefaultClientOptions {
  /** How long a loader may take unless the call has its own `hardTimeout`; `null` for no limit. @default "60s" */
  hardTimeout?: Duration | null | undefined;
}

export const defaultClientDefaults = { hardTimeout: "60s" } as const satisfies Required<DefaultClientOptions>;

/** Stores values as Django's caches do. Loads are shared in each process alone. @throws {ConfigurationError} on wrong options */
export function defaultClient(options: DefaultClientOptions = {}): ClientFactory {
  checkOptions<DefaultClientOptions>("defaultClient", options, { hardTimeout: orNull(isWait) });
  const { hardTimeout = defaultClientDefaults.hardTimeout } = options;
  const hardTimeoutMs = hardTimeout === null ? Infinity : toMs(hardTimeout, "hardTimeout");
  return (context) => new DefaultClient(context, { hardTimeoutMs });
}

/** The client that `defaultClient()` makes, for clients of your own that extend it. */
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
    const known = this.near?.value(key, this.context.codec, undefined, call);
    if (known !== undefined) return Promise.resolve(known);
    const { replies, log } = sendWithLog(this.context, [["GET", key]], this.reads);
    return replies.then(([reply = null]) => this.decode(reply, key, this.context.clock.now(), { call, log }));
  }

  getMany(keys: readonly string[], call?: CacheCall): Promise<unknown[]> {
    return this.#readMany("getMany", keys, this.reads, call);
  }

  mget(keys: readonly string[], call?: CacheCall): Promise<unknown[]> {
    return sameSlot(keys, this.#readMany("mget", keys, { ...this.reads, atomic: true }, call));
  }

  set(key: string, value: unknown, options: WriteOptions): Promise<boolean> {
    const { connection, codec, sharing } = this.context;
    const { ttlMs, tags = [], condition, call } = options;
    const write = (ordered: Connection, encoded: Encoded): Promise<boolean> => {
      sharing.forget(key);
      call?.carries([encoded]);
      const whole = this.wrap(encoded, ttlMs);
      return condition ? writeIf(this.context, ordered, key, whole, condition) : writeOne(ordered, key, whole);
    };
    try {
      if (tags.length > 0) {
        const tagged = encodedNow(this.context, [[key, value]], new Map([[key, tags]]));
        sharing.forget(key);
        return connection.inOrder(tagged, (ordered, [one = ""]) => write(ordered, one));
      }
      const encoded = codec.encode(value, key);
      if (!(encoded instanceof Promise)) return write(connection, encoded);
      sharing.forget(key);
      return connection.inOrder(encoded, write);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async setMany(entries: ReadonlyMap<string, unknown>, { ttlMs, tags, call }: WriteEntriesOptions): Promise<string[]> {
    const pairs = [...entries];
    return this.context.connection.inOrder(encodedNow(this.context, pairs, tags), (ordered, encoded) =>
      this.#write(ordered, pairs, encoded, { ttlMs, method: "setMany", call }),
    );
  }

  async mset(entries: ReadonlyMap<string, unknown>, { ttlMs, tags, call }: WriteEntriesOptions): Promise<void> {
    const { connection, sharing } = this.context;
    const pairs = [...entries];
    return connection.inOrder(encodedNow(this.context, pairs, tags), async (ordered, encoded) => {
      const keys = pairs.map(([key]) => key);
      for (const key of keys) sharing.forget(key);
      const commands = keys.map((key, i) => setCommand(key, this.wrap(encoded[i] ?? "", ttlMs)));
      call?.carries(encoded);
      for (const reply of await sameSlot(keys, ordered.send(commands, ATOMIC))) throwIfError(reply);
    });
  }

  getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown> {
    const { call, forceRefresh } = options;
    if (forceRefresh) refuseCycle(this.context.sharing, key);
    const known = forceRefresh ? undefined : this.near?.value(key, this.context.codec, this.passes, call);
    if (known !== undefined) {
      call?.hit();
      return Promise.resolve(known);
    }
    const value = this.#shared(key, loader, options);
    return Promise.resolve(this.context.connection.near?.settle(value) ?? value);
  }

  /**
   * Joins a running call, or makes one. Where a value was purged before its caller came, that one is answered as if it came now.
   * @param isLate the caller came before any call that it may join now
   */
  #shared(key: string, loader: Loader<unknown>, options: LoadOptions, isLate = false): Promise<unknown> {
    const { signal, call, forceRefresh } = options;
    const { sharing, codec, report } = this.context;
    const running = forceRefresh ? sharing.forced : this.running;
    const joins = !isLate && running.isRunning(key);
    const log = joins ? readLog(this.context) : undefined;
    return running.run(
      key,
      (shared) => this.answer(key, loader, options, shared),
      (answer) => valueForLeader(answer, signal),
      (answer) =>
        chain(!joins || mayShare(this.context, answer, key, log), (isMine) => {
          if (!isMine) return this.#shared(key, loader, options, true);
          if (call) recordShared(call, answer);
          return asHit(codec, answer, key);
        }),
      signal,
      signal && ((error) => report(error, "getOrSet", key)),
    );
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
    const { codec } = this.context;
    const { call, forceRefresh } = options;
    try {
      if (options.tags) await this.context.tags.meet();
      const found = forceRefresh ? void (await readLog(this.context)?.done) : await this.#find(key);
      if (found) {
        const { payload: encoded, isStale, deltaMs, stored } = found;
        const decoded = codec.decode(encoded, key);
        const value = decoded instanceof Promise ? await decoded : decoded;
        call?.found(encoded.length, isStale ? 0 : deltaMs);
        if (!isStale) {
          call?.hit();
          return { value, encoded, stored, found: "hit" };
        }
        call?.foundStale();
        const one: ManyLoader = async (_keys, context) => new Map([[key, await loader(context)]]);
        this.loads.refresh(new Map([[key, encoded]]), { method: "getOrSet", loader: one, options });
        return { value, encoded, stored, found: "stale" };
      }
    } catch (error) {
      tolerate(this.context, error, "getOrSet", key);
      // A store that did not answer must not hold this caller up twice; one that holds rubbish is written over.
      isStorable = error instanceof DecodeError;
    }
    call?.miss();
    return this.#load(key, loader, options, shared, isStorable);
  }

  async #find(key: string): Promise<Found | undefined> {
    const { codec, clock } = this.context;
    const { replies, log } = sendWithLog(this.context, [["GET", key]], this.reads);
    const [reply = null] = await replies;
    const reading = untilRead(log);
    if (reading) await reading;
    return withoutTags(this.context, foundIn(codec, reply, key, clock.now()), key, log);
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
      // The loader is called now, for a caller that does not take what is stored.
      const joined = sharing.forced.join(key, () => shared.signal());
      if (joined) shared.enters("wait");
      const log = joined && readLog(this.context);
      const forced = await joined;
      if (forced && (await mayShare(this.context, forced, key, log)))
        return { ...forced, value: await asHit(codec, forced, key) };
    }
    shared.enters("load");
    const loaded = await this.load("getOrSet", key, loader, options, () => shared.signal());
    const { value, ttlMs } = loaded;
    const encoded = isStorable && ttlMs !== undefined ? await codec.encode(value, key) : undefined;
    const all = encoded === undefined ? [] : [encoded];
    const tagging = loaded.tagsOf && all.length > 0 ? tagLoaded(this.context, [[key, value]], all, loaded) : all;
    const [payload] = (await tagging) ?? [];
    // Written or deleted in this process meanwhile: this value may be older than that.
    if (isStorable && shared.isCurrent()) {
      call?.carries(all);
      try {
        // What others began to load before is older.
        if (forceRefresh) sharing.forget(key);
        if (payload !== undefined && ttlMs !== undefined) {
          await this.put(key, this.wrap(payload, ttlMs));
          call?.stored(1);
        } else if (forceRefresh && value === undefined) await this.delete([key]);
      } catch (error) {
        tolerate(this.context, error, "getOrSet", key);
      }
    }
    const stored = payload ?? (await tagsOnly(this.context, key, loaded));
    return { value: await asHit(codec, { value, encoded }, key), encoded, stored, found: "miss" };
  }

  /** What the process knows of values; `undefined` also where a subclass reads them in its own way, which must not be bypassed. */
  protected get near(): NearReads | undefined {
    const { decode, answer } = this.usual;
    return this.decode === decode && this.answer === answer ? this.context.connection.near : undefined;
  }

  /** Whether a fresh value is to be refreshed, and so to be looked up, although the process knows it. */
  protected readonly passes: Passes | undefined;

  /** @internal Loads of several keys, and in the background. */
  protected get loads(): Loads {
    this.#loads ??= new Loads({
      context: this.context,
      read: (keys, stale, call) => this.#readMany("getMany", keys, this.reads, call, stale),
      load: (method, loader, options, { signal, ...run }) =>
        this.load(method, keyOf(method, run.keys ?? []), loader, options, signal, run),
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
    run: Pick<Load, "keys" | "stale" | "background"> = { stale: undefined },
  ): Promise<Loaded> {
    return load(
      this.context,
      { ...run, method, key, loader, options, signal: () => signal() ?? new AbortController().signal },
      this.#hardTimeoutMs,
    );
  }

  /** Writes, whatever is there. @throws {ReplyError} */
  protected async put(key: string, write: Stored): Promise<void> {
    await writeOne(this.context.connection, key, write);
  }

  /** What a reply to a read says. @throws {DecodeError} @throws {ReplyError} */
  protected decode(reply: Reply, key: string, nowMs: number, options: DecodeOptions = {}): MaybePromise<unknown> {
    const { codec, connection } = this.context;
    const { call, log, stale } = options;
    return chain(withoutTags(this.context, foundIn(codec, reply, key, nowMs), key, log), (found) => {
      if (found?.isStale) stale?.set(key, found.payload);
      if (!found || found.isStale) return undefined;
      const decoded = codec.decode(found.payload, key);
      call?.found(found.payload.length, found.deltaMs);
      return connection.near?.settle(decoded) ?? decoded;
    });
  }

  #readMany(
    method: ReadManyOptions["method"],
    keys: readonly string[],
    send: SendOptions,
    call: CacheCall | undefined,
    stale?: Map<string, Encoded>,
  ): Promise<unknown[]> {
    const decode: ReadManyOptions["decode"] = (reply, key, nowMs, log) =>
      this.decode(reply, key, nowMs, { call, log, stale });
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
}
