import type { Encoded } from "../codec/encoded.js";
import { PEEK_END } from "../codec/envelope.js";
import { decodeNumber } from "../codec/number.js";
import type { Argument, Command, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, ReplyError, throwIfError } from "../core/errors.js";
import type { MaybePromise } from "../core/maybe-promise.js";
import type { Script } from "../core/script.js";
import { toText } from "../core/text.js";
import type { Client, ClientContext, ClientFactory, DeleteOptions, LoadOptions, WriteOptions } from "./client.js";
import type { Coalesced, Shared } from "./coalesce.js";
import { freshPayload, isThere, logicalTtl, toStored } from "./entry.js";
import type { Loader, ManyLoader } from "./loader.js";
import { type Loaded, load } from "./loading.js";
import { notAnInteger, sameSlot } from "./refusals.js";
import { EXPIRE, INCREMENT, MOVE, PERSIST, SET_IF } from "./scripts/writes.js";
import type { Answer } from "./sharing.js";

/** A value in the form in which it is written, and for how long, in milliseconds or `null` for ever. */
export interface Stored {
  readonly stored: Encoded;
  readonly ttlMs: number | null;
}

const REPEATABLE: SendOptions = { idempotent: true };
const REPEATABLE_TEXT: SendOptions = { idempotent: true, text: true };
const ATOMIC: SendOptions = { atomic: true, idempotent: true };

/** One entry for each key, stored as Django's caches store it. */
export function defaultClient(): ClientFactory {
  return (context) => new DefaultClient(context);
}

export class DefaultClient implements Client {
  protected readonly context: ClientContext;
  protected readonly reads: SendOptions;
  protected readonly flights: Coalesced<Answer>;

  constructor(context: ClientContext) {
    this.context = context;
    this.flights = context.sharing.flights;
    this.reads = context.codec.text ? REPEATABLE_TEXT : REPEATABLE;
  }

  async get(key: string): Promise<unknown> {
    const replies = await this.context.connection.send([["GET", key]], this.reads);
    return this.decode(replies[0] ?? null, key);
  }

  getMany(keys: readonly string[]): Promise<Map<string, unknown>> {
    return this.#values("getMany", keys, this.reads);
  }

  mget(keys: readonly string[]): Promise<Map<string, unknown>> {
    return sameSlot(keys, this.#values("mget", keys, { ...this.reads, atomic: true }));
  }

  async set(key: string, value: unknown, { ttlMs, condition }: WriteOptions): Promise<boolean> {
    const encoded = this.context.codec.encode(value, key);
    const write = this.wrap(encoded instanceof Promise ? await encoded : encoded, ttlMs);
    this.flights.forget(key);
    if (condition)
      return (await this.script(SET_IF, [key], [write.stored, milliseconds(write.ttlMs), condition])) === 1;
    await this.put(key, write);
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
      (answer) => answer.value,
      (answer) => this.#copy(answer, key),
      options.signal,
    );
  }

  async getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    let values = new Map<string, unknown>();
    let storable = true;
    try {
      values = await this.getMany(keys);
    } catch (error) {
      this.context.report(error, "getOrSetMany", "");
      storable = error instanceof DecodeError;
    }
    const missing = keys.filter((key) => !values.has(key));
    if (missing.length === 0) return values;
    const { value, ttlMs } = await this.load(
      "",
      (told) => loader(missing, told),
      undefined,
      options,
      () => options.signal,
    );
    const loaded = new Map([...(value as ReadonlyMap<string, unknown>)].filter(([, one]) => one !== undefined));
    for (const [key, one] of loaded) values.set(key, one);
    if (storable && ttlMs !== undefined && loaded.size > 0) {
      await this.setMany(loaded, ttlMs).catch((error: unknown) => this.context.report(error, "getOrSetMany", ""));
    }
    return values;
  }

  async delete(keys: readonly string[]): Promise<number> {
    for (const key of keys) this.flights.forget(key);
    const commands = keys.flatMap((key): Command[] => [peek(key), ["UNLINK", key]]);
    const replies = await this.context.connection.send(commands);
    const nowMs = this.context.clock.now();
    let deleted = 0;
    for (const [i, key] of keys.entries()) {
      const gone = throwIfError(replies[2 * i + 1] ?? null) === 1;
      if (gone && this.#wasThere(replies[2 * i] ?? null, key, nowMs)) deleted++;
    }
    return deleted;
  }

  async has(key: string): Promise<boolean> {
    return isThere(await this.one(peek(key), REPEATABLE), key, this.context.clock.now());
  }

  async incr(
    key: string,
    delta: bigint,
    create: { readonly ttlMs: number | null } | undefined,
  ): Promise<number | bigint | undefined> {
    this.flights.forget(key);
    const made = create && this.wrap("", create.ttlMs);
    const args: Argument[] = made ? ["create", milliseconds(made.ttlMs), made.stored] : ["", "", ""];
    const reply = await this.script(INCREMENT, [key], [String(delta), ...args]).catch((error: unknown) => {
      throw notAnInteger(error, key, delta);
    });
    return reply instanceof Uint8Array || typeof reply === "string" ? decodeNumber(toText(reply)) : undefined;
  }

  async rename(from: string, to: string): Promise<boolean> {
    this.flights.forget(from);
    this.flights.forget(to);
    return (await sameSlot([from, to], this.script(MOVE, [from, to], []))) === 1;
  }

  async pttl(key: string): Promise<number | null | undefined> {
    const [left = null, start = null] = await this.context.connection.send([["PTTL", key], peek(key)], REPEATABLE);
    const ms = Number(throwIfError(left));
    const nowMs = this.context.clock.now();
    if (ms === -2 || !isThere(start, key, nowMs)) return undefined;
    const logicalMs = logicalTtl(start, key, nowMs);
    return logicalMs !== undefined ? logicalMs : ms === -1 ? null : ms;
  }

  async touch(key: string, ttlMs: number | null): Promise<boolean> {
    if (ttlMs === null) return Number(await this.script(PERSIST, [key], [])) > 0;
    return (await this.script(EXPIRE, [key], ["in", String(ttlMs), String(this.graceMs)], REPEATABLE)) === 1;
  }

  async expireAt(key: string, atMs: number): Promise<boolean> {
    return (await this.script(EXPIRE, [key], ["at", String(atMs), String(this.graceMs)], REPEATABLE)) === 1;
  }

  async persist(key: string): Promise<boolean> {
    return (await this.script(PERSIST, [key], [])) === 1;
  }

  async *scan(pattern: string, count: number): AsyncIterable<string[]> {
    for await (const keys of this.context.connection.scan({ match: pattern, count })) {
      if (keys.length === 0) continue;
      const peeks = await this.context.connection.send(keys.map(peek), REPEATABLE);
      const nowMs = this.context.clock.now();
      yield keys.filter((key, i) => this.#wasThere(peeks[i] ?? null, key, nowMs));
    }
  }

  async deletePattern(pattern: string, { count, owns, onProgress }: DeleteOptions): Promise<number> {
    // Before, not after: what is being loaded now must not come back to a place that the scan has passed.
    this.flights.forgetAll();
    let deleted = 0;
    for await (const batch of this.context.connection.scan({ match: pattern, count })) {
      const keys = batch.filter(owns);
      if (keys.length === 0) continue;
      deleted += await this.delete(keys);
      onProgress?.(deleted);
    }
    return deleted;
  }

  async flush(): Promise<void> {
    this.flights.forgetAll();
    throwIfError(await this.one(["FLUSHDB"], REPEATABLE));
  }

  async close(): Promise<void> {}

  /** How long an entry stays after its expiry. */
  protected get graceMs(): number {
    return 0;
  }

  /** The form in which a value is stored. */
  protected wrap(encoded: Encoded, ttlMs: number | null): Stored {
    return { stored: encoded, ttlMs };
  }

  /** Reads, or loads and writes. Only a failing loader rejects, or a value that can't be stored. */
  protected async answer(key: string, loader: Loader<unknown>, options: LoadOptions, shared: Shared): Promise<Answer> {
    let storable = true;
    try {
      const stored = toStored(await this.one(["GET", key], this.reads), key);
      const encoded = stored && freshPayload(this.context.codec, stored, key, this.context.clock.now());
      if (encoded !== undefined) {
        const value = await this.context.codec.decode(encoded, key);
        this.context.events.emit("hit", () => ({ key }));
        return { value, encoded };
      }
    } catch (error) {
      this.context.report(error, "getOrSet", key);
      // A store that did not answer must not hold this caller up twice; one that holds rubbish is written over.
      storable = error instanceof DecodeError;
    }
    const { value, ttlMs } = await this.load(key, loader, undefined, options, () => shared.signal());
    if (!storable || ttlMs === undefined) return { value, encoded: undefined };
    const encoded = await this.context.codec.encode(value, key);
    // Written or deleted in this process meanwhile: this value may be older than that.
    if (shared.isCurrent()) {
      await this.put(key, this.wrap(encoded, ttlMs)).catch((error: unknown) => {
        this.context.report(error, "getOrSet", key);
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
    throwIfError(await this.one(setCommand(key, write), REPEATABLE));
  }

  /** One command, one flight. */
  protected async one(command: Command, options?: SendOptions): Promise<Reply> {
    const replies = await this.context.connection.send([command], options);
    return replies[0] ?? null;
  }

  /** @throws {ReplyError} */
  protected script(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    options?: SendOptions,
  ): Promise<Reply> {
    return this.context.connection.script(script, keys, args, options);
  }

  /** What a reply to a read says. @throws {DecodeError} @throws {ReplyError} */
  protected decode(reply: Reply, key: string): MaybePromise<unknown> {
    const { codec, clock } = this.context;
    const stored = toStored(reply, key);
    const payload = stored === undefined ? undefined : freshPayload(codec, stored, key, clock.now());
    return payload === undefined ? undefined : codec.decode(payload, key);
  }

  /** An answer of its own for each further caller, as values can be changed by who holds them. */
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

  async #values(
    method: "getMany" | "mget",
    keys: readonly string[],
    options: SendOptions,
  ): Promise<Map<string, unknown>> {
    const replies = throwIfError(await this.one(["MGET", ...keys], options));
    const values = new Map<string, unknown>();
    if (!Array.isArray(replies)) return values;
    for (const [i, key] of keys.entries()) {
      try {
        const value = this.decode(replies[i] ?? null, key);
        const ready = value instanceof Promise ? await value : value;
        if (ready !== undefined) values.set(key, ready);
      } catch (error) {
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
    for (const key of entries.keys()) this.flights.forget(key);
    return commands;
  }

  /** As `isThere`, for what is being deleted or listed: an entry that can't be read is there, too. */
  #wasThere(start: Reply, key: string, nowMs: number): boolean {
    try {
      return isThere(start, key, nowMs);
    } catch (error) {
      if (error instanceof DecodeError) return true;
      throw error;
    }
  }
}

function peek(key: string): Command {
  return ["GETRANGE", key, "0", PEEK_END];
}

function milliseconds(ttlMs: number | null): string {
  return ttlMs === null ? "" : String(ttlMs);
}

function setCommand(key: string, { stored, ttlMs }: Stored): Command {
  return ttlMs === null ? ["SET", key, stored] : ["SET", key, stored, "PX", String(ttlMs)];
}
