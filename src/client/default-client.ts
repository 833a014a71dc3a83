import { BATCH_SIZE, pauseIfMany, sendInBatches } from "../connection/server-commands.js";
import type { MaybePromise } from "../core/async.js";
import type { Command, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, ReplyError, throwIfError } from "../core/errors.js";
import { checkOptions, isWait, orNull } from "../core/options.js";
import { type Duration, nextTurn, toMs } from "../core/time.js";
import type { Client, ClientContext, ClientFactory, Loader, LoadOptions, ManyLoader, WriteOptions } from "./client.js";
import { SET_IF } from "./entry-scripts.js";
import { freshPayload, KeyCommands, milliseconds, READ, REPEATABLE, type Stored, toStored } from "./key-commands.js";
import { type Loaded, load } from "./loading.js";
import { sameSlot, tolerate } from "./refusals.js";
import { type Answer, Coalesced, type Shared } from "./single-flight.js";

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

  async set(key: string, value: unknown, { ttlMs, condition }: WriteOptions): Promise<boolean> {
    const encoded = this.context.codec.encode(value, key);
    const write = this.wrap(encoded instanceof Promise ? await encoded : encoded, ttlMs);
    this.context.sharing.forget(key);
    if (condition)
      return (await this.script(SET_IF, [key], [write.stored, milliseconds(write.ttlMs), condition])) === 1;
    // As `put`, whose promise would be one more in what is called most.
    const replies = await this.context.connection.send([setCommand(key, write)], REPEATABLE);
    throwIfError(replies[0] ?? null);
    return true;
  }

  setMany(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<string[]> {
    return this.#write(entries, ttlMs, "setMany");
  }

  async mset(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<void> {
    const commands = await this.#writes(entries, ttlMs);
    const replies = await sameSlot([...entries.keys()], this.context.connection.send(commands, ATOMIC));
    for (const reply of replies) throwIfError(reply);
  }

  getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown> {
    return this.flights.run(
      key,
      (shared) => this.answer(key, loader, options, shared),
      valueForLeader,
      (answer) => this.#copy(answer, key),
      options.signal,
      options.signal && ((error) => this.context.report(error, "getOrSet", key)),
    );
  }

  async getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    const identity = (values: Map<string, unknown>) => values;
    const report = (error: unknown): void => this.context.report(error, "getOrSetMany", "");
    const work = (shared: Shared) => this.#answerMany(keys, loader, options, shared);
    // Not shared with other callers. It ends this caller's wait when its signal fires.
    return new Coalesced<Map<string, unknown>>().run("", work, identity, identity, options.signal, report);
  }

  async #answerMany(
    keys: readonly string[],
    loader: ManyLoader,
    options: LoadOptions,
    shared: Shared,
  ): Promise<Map<string, unknown>> {
    const { context } = this;
    const values = new Map<string, unknown>();
    let storable = true;
    try {
      for (const [i, value] of (await this.getMany(keys)).entries()) {
        if (value !== undefined) values.set(keys[i] as string, value);
      }
    } catch (error) {
      tolerate(context, error, "getOrSetMany", "");
      storable = error instanceof DecodeError;
    }
    await pauseIfMany(keys.length);
    const missing = keys.filter((key) => !values.has(key));
    if (missing.length === 0) return values;
    const watch = context.sharing.watch(missing);
    try {
      const many: Loader<unknown> = (loaderContext) => loader(missing, loaderContext);
      const { value, ttlMs } = await this.load("", many, undefined, options, () => shared.signal(), missing);
      const loaded = new Map([...(value as ReadonlyMap<string, unknown>)].filter(([, one]) => one !== undefined));
      await pauseIfMany(loaded.size);
      for (const [key, one] of loaded) values.set(key, one);
      await pauseIfMany(loaded.size);
      // Written or deleted in this process meanwhile: a loaded value may be older than that.
      const current = new Map([...loaded].filter(([key]) => watch.current.has(key)));
      if (storable && ttlMs !== undefined && current.size > 0) await this.#storeLoaded(current, ttlMs);
      return values;
    } finally {
      watch.end();
    }
  }

  /** A store error neither fails the caller nor is lost. */
  async #storeLoaded(values: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<void> {
    try {
      await this.#write(values, ttlMs, "getOrSetMany");
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
    if (!storable || ttlMs === undefined) return { value, encoded: undefined };
    const encoded = await this.context.codec.encode(value, key);
    // Written or deleted in this process meanwhile: this value may be older than that.
    if (shared.isCurrent()) {
      await this.put(key, this.wrap(encoded, ttlMs)).catch((error: unknown) => {
        tolerate(this.context, error, "getOrSet", key);
      });
    }
    return { value, encoded };
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
    const replies = await this.context.connection.send([setCommand(key, write)], REPEATABLE);
    throwIfError(replies[0] ?? null);
  }

  /** What a reply to a read says. @throws {DecodeError} @throws {ReplyError} */
  protected decode(reply: Reply, key: string, nowMs = this.context.clock.now()): MaybePromise<unknown> {
    const { codec } = this.context;
    const stored = toStored(reply, key);
    const payload = stored === undefined ? undefined : freshPayload(codec, stored, key, nowMs);
    return payload === undefined ? undefined : codec.decode(payload, key);
  }

  /** A copy of the answer for each further caller, because callers may change their values. */
  async #copy({ value, encoded }: Answer, key: string): Promise<unknown> {
    const { codec } = this.context;
    if (encoded !== undefined) return codec.decode(encoded, key);
    if (typeof value !== "object" || value === null) return value;
    try {
      return await codec.decode(await codec.encode(value, key), key);
    } catch {
      // Not stored, and not of a kind that could be: there is but the one.
      return value;
    }
  }

  async #values(method: "getMany" | "mget", keys: readonly string[], options: SendOptions): Promise<unknown[]> {
    // A read at one moment is one command, whatever its length.
    const size = options.atomic ? Math.max(1, keys.length) : BATCH_SIZE;
    const values: unknown[] = [];
    for (let start = 0; start < keys.length; start += size) {
      const batch = size < keys.length ? keys.slice(start, start + size) : keys;
      const [reply = null] = await this.context.connection.send([["MGET", ...batch]], options);
      const replies = throwIfError(reply);
      await this.#decodeAll(method, batch, Array.isArray(replies) ? replies : [], values);
    }
    return values;
  }

  /** Appends the values of replies. Lets other work run after each batch of many. */
  async #decodeAll(
    method: "getMany" | "mget",
    keys: readonly string[],
    replies: readonly Reply[],
    values: unknown[],
  ): Promise<void> {
    const nowMs = this.context.clock.now();
    for (const [i, key] of keys.entries()) {
      if (values.length % BATCH_SIZE === BATCH_SIZE - 1) await nextTurn();
      try {
        const value = this.decode(replies[i] ?? null, key, nowMs);
        values.push(value instanceof Promise ? await value : value);
      } catch (error) {
        values.push(undefined);
        this.context.forgive(error, method, key);
      }
    }
  }

  /** Writes entries, and reports those that the server refuses. @returns their keys */
  async #write(entries: ReadonlyMap<string, unknown>, ttlMs: number | null, method: string): Promise<string[]> {
    const commands = await this.#writes(entries, ttlMs);
    const replies = await sendInBatches(this.context.connection, commands, REPEATABLE);
    const failed: string[] = [];
    for (const [i, key] of [...entries.keys()].entries()) {
      const reply = replies[i];
      if (!(reply instanceof ReplyError)) continue;
      failed.push(key);
      this.context.report(reply, method, key);
    }
    return failed;
  }

  async #writes(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<Command[]> {
    const commands: Command[] = [];
    for (const [key, value] of entries) {
      if (commands.length % BATCH_SIZE === BATCH_SIZE - 1) await nextTurn();
      const encoded = this.context.codec.encode(value, key);
      commands.push(setCommand(key, this.wrap(encoded instanceof Promise ? await encoded : encoded, ttlMs)));
    }
    for (const key of entries.keys()) this.context.sharing.forget(key);
    return commands;
  }
}

/** The value for the caller that has loaded it. It waits for a refresh, which callers that joined do not. */
function valueForLeader({ value, refreshed }: Answer): unknown {
  return refreshed ? refreshed.then((answer) => (answer ?? { value }).value) : value;
}

function setCommand(key: string, { stored, ttlMs }: Stored): Command {
  return ttlMs === null ? ["SET", key, stored] : ["SET", key, stored, "PX", String(ttlMs)];
}
