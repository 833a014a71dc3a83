import type { Command, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, ReplyError, throwIfError } from "../core/errors.js";
import type { MaybePromise } from "../core/maybe-promise.js";
import type { Client, ClientContext, ClientFactory, LoadOptions, WriteOptions } from "./client.js";
import { SET_IF } from "./entry-scripts.js";
import { freshPayload, KeyCommands, milliseconds, READ, REPEATABLE, type Stored, toStored } from "./key-commands.js";
import type { Loader, ManyLoader } from "./loader.js";
import { type Loaded, load } from "./loading.js";
import { sameSlot, tolerate } from "./refusals.js";
import type { Answer, Shared } from "./single-flight.js";

const READ_TEXT: SendOptions = { readOnly: true, text: true };
const ATOMIC: SendOptions = { atomic: true, idempotent: true };

/** One entry for each key, stored as Django's caches store it. */
export function defaultClient(): ClientFactory {
  return (context) => new DefaultClient(context);
}

export class DefaultClient extends KeyCommands implements Client {
  protected readonly reads: SendOptions;

  constructor(context: ClientContext) {
    super(context);
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

  async setMany(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<string[]> {
    const replies = await this.context.connection.send(await this.#writes(entries, ttlMs), REPEATABLE);
    return [...entries.keys()].filter((_key, i) => replies[i] instanceof ReplyError);
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
      valueIn,
      (answer) => this.#copy(answer, key),
      options.signal,
      options.signal && ((error) => this.context.report(error, "getOrSet", key)),
    );
  }

  async getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    const values = new Map<string, unknown>();
    let storable = true;
    try {
      for (const [i, value] of (await this.getMany(keys)).entries()) {
        if (value !== undefined) values.set(keys[i] as string, value);
      }
    } catch (error) {
      tolerate(this.context, error, "getOrSetMany", "");
      storable = error instanceof DecodeError;
    }
    const missing = keys.filter((key) => !values.has(key));
    if (missing.length === 0) return values;
    const { value, ttlMs } = await this.load(
      "",
      (context) => loader(missing, context),
      undefined,
      options,
      () => options.signal,
    );
    const loaded = new Map([...(value as ReadonlyMap<string, unknown>)].filter(([, one]) => one !== undefined));
    for (const [key, one] of loaded) values.set(key, one);
    if (storable && ttlMs !== undefined && loaded.size > 0) {
      await this.setMany(loaded, ttlMs).catch((error: unknown) => tolerate(this.context, error, "getOrSetMany", ""));
    }
    return values;
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
  ): Promise<Loaded> {
    const never = () => new AbortController().signal;
    return load(this.context, { key, loader, stale, options, signal: () => signal() ?? never() });
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
    const [reply = null] = await this.context.connection.send([["MGET", ...keys]], options);
    const replies = throwIfError(reply);
    if (!Array.isArray(replies)) return [];
    // Each in the place of its stored form, which is not needed any more: many are large together.
    const values: unknown[] = replies;
    const nowMs = this.context.clock.now();
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      try {
        const value = this.decode(replies[i] ?? null, key, nowMs);
        values[i] = value instanceof Promise ? await value : value;
      } catch (error) {
        values[i] = undefined;
        this.context.forgive(error, method, key);
      }
    }
    return values;
  }

  async #writes(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<Command[]> {
    const commands: Command[] = [];
    for (const [key, value] of entries) {
      const encoded = this.context.codec.encode(value, key);
      commands.push(setCommand(key, this.wrap(encoded instanceof Promise ? await encoded : encoded, ttlMs)));
    }
    for (const key of entries.keys()) this.context.sharing.forget(key);
    return commands;
  }
}

function valueIn({ value }: Answer): unknown {
  return value;
}

function setCommand(key: string, { stored, ttlMs }: Stored): Command {
  return ttlMs === null ? ["SET", key, stored] : ["SET", key, stored, "PX", String(ttlMs)];
}
