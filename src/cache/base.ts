import type { Client, ClientContext } from "../client/client.js";
import { Sharing } from "../client/single-flight.js";
import type { Encoded } from "../codec/envelope.js";
import type { Connection, Invocation } from "../core/connection.js";
import { ConfigurationError, ConnectionError, DecodeError, ReplyError, show } from "../core/errors.js";
import type { EventName, Listener } from "../core/events.js";
import { checkKey, defaultKeyFunction, type Key, MadeKey, makePattern } from "../core/key.js";
import { type Duration, systemClock, toMs } from "../core/time.js";
import type { Settings } from "./settings.js";

/** What every method takes. */
export interface KeyOptions {
  /** The version in the key. @default the cache's */
  version?: number;
  /** What goes before the key. @default the cache's `keyPrefix` */
  prefix?: string;
}

/** What the groups of methods stand on: keys, times, the error policy, and the connection of one invocation. */
export abstract class CacheBase implements AsyncDisposable {
  /** The raw connection, for commands that have no method. Make keys for it with `makeKey`, values with `encode` and `decode`. */
  readonly connection: Connection;
  protected readonly settings: Settings;
  protected readonly context: ClientContext;
  protected readonly client: Client;
  readonly #ownsConnection: boolean;
  /** What an invocation began and may not have waited for; it ends before the invocation's cache does. */
  readonly #begun: Set<Promise<unknown>> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Caches are made by `createCache`. @param whole the cache of the process, for a view of it that shares its connection */
  constructor(settings: Settings, invocation: Invocation, whole?: CacheBase) {
    this.settings = settings;
    this.#ownsConnection = whole === undefined;
    this.#begun = invocation.scope === "request" ? new Set() : undefined;
    this.connection = whole?.connection ?? settings.connect(invocation);
    this.context = {
      connection: this.connection,
      codec: settings.codec,
      clock: systemClock,
      invocation,
      events: settings.events,
      sharing: whole?.context.sharing ?? new Sharing(),
      report: (error, method, key) => this.report(error, method, key),
      forgive: (error, method, key) => this.forgive(error, method, key),
    };
    this.client = settings.client(this.context);
  }

  /** Tells `listener` what the cache does, until the function that is returned is called. Costs nothing where nobody listens. */
  on<E extends EventName>(name: E, listener: Listener<E>): () => void {
    return this.settings.events.on(name, listener);
  }

  /** The key as stored. A made key comes back as it is. @throws TypeError on what is not a key */
  makeKey(key: Key, options: KeyOptions = {}): MadeKey {
    return key instanceof MadeKey ? key : new MadeKey(this.made(key, options));
  }

  /** A glob of made keys: the wildcards in `pattern` work, and none in the prefix. */
  makePattern(pattern: string, options: KeyOptions = {}): string {
    if (typeof pattern !== "string" || pattern === "") {
      throw new TypeError(`pattern: ${show(pattern)} is not a pattern; give a glob such as "user:*"`);
    }
    return makePattern(this.settings.keyFunction, pattern, this.prefix(options), this.version(options));
  }

  /** The stored form of a value. @throws {EncodeError} */
  async encode(value: unknown): Promise<Encoded> {
    return this.settings.codec.encode(value, "");
  }

  /** The value of a stored form. @throws {DecodeError} */
  async decode(stored: Encoded): Promise<unknown> {
    return this.settings.codec.decode(stored, "");
  }

  /** Bytes that are no value, such as a file, made shorter by the cache's compressor; `undefined` where that doesn't pay. */
  async compressBytes(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return this.settings.codec.compressBytes(bytes);
  }

  /** What `compressBytes` made shorter. @throws {DecodeError} */
  async decompressBytes(packed: Uint8Array): Promise<Uint8Array> {
    return this.settings.codec.decompressBytes(packed, "");
  }

  /** Waits for work in the background, and gives up the connection. Idempotent; a method after it is a `ConnectionError`. */
  close(): Promise<void> {
    this.#closing ??= this.#end().finally(() => (this.#ownsConnection ? this.connection.close() : undefined));
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For methods that answer without the store, too. @throws {ConnectionError} after `close` */
  protected checkOpen(): void {
    if (this.#closing) throw new ConnectionError("the cache was closed; make a new one with createCache()");
  }

  /** @throws TypeError on what is not a key */
  protected made(key: Key, options: KeyOptions): string {
    return this.#made(key, this.prefix(options), this.version(options));
  }

  /** Of each key, in their order. @throws TypeError on what is not a key */
  protected allMade(keys: readonly unknown[], options: KeyOptions): string[] {
    const prefix = this.prefix(options);
    const version = this.version(options);
    // Django's puts the same before each, so that is made once.
    const head = this.settings.keyFunction === defaultKeyFunction ? defaultKeyFunction("", prefix, version) : undefined;
    return keys.map((key) =>
      head !== undefined && typeof key === "string" && key !== "" ? head + key : this.#made(key, prefix, version),
    );
  }

  #made(key: unknown, prefix: string, version: number): string {
    checkKey(key);
    return typeof key === "string" ? this.settings.keyFunction(key, prefix, version) : String(key);
  }

  /** @throws TypeError on what is not a name @throws {ConfigurationError} when an entry would have that key, too */
  protected lockKey(name: string, options: Pick<KeyOptions, "prefix">): string {
    checkKey(name);
    const { keyFunction, version } = this.settings;
    const key = keyFunction(name, this.prefix(options), "lock");
    if (key !== keyFunction(name, this.prefix(options), version)) return key;
    throw new ConfigurationError(
      `lock: this keyFunction gives a lock the key of an entry, ${show(key)}; put the version into keys, which is "lock" there`,
    );
  }

  /** The user's key in a made one. */
  protected reverse(madeKey: string, options: KeyOptions): string {
    return this.settings.reverseKeyFunction(madeKey, this.prefix(options));
  }

  /** @throws TypeError */
  protected version({ version }: KeyOptions): number {
    if (version === undefined) return this.settings.version;
    if (Number.isSafeInteger(version)) return version;
    throw new TypeError(`version: ${show(version)} is not a version; give a whole number`);
  }

  /** @throws TypeError */
  protected ttlMs(ttl: Duration | null | undefined): number | null {
    if (ttl === undefined) return this.settings.ttlMs;
    return ttl === null ? null : toMs(ttl, "ttl");
  }

  /** What a failing store answers: an error, or `otherwise` for those who chose to ignore errors. */
  protected guard<T>(method: string, key: string, otherwise: T, work: Promise<T>): Promise<T> {
    if (this.#begun) this.#note(work, this.#begun);
    if (!this.settings.ignoreErrors) return work;
    return work.catch((error: unknown) => {
      this.forgive(error, method, key);
      return otherwise;
    });
  }

  #note(work: Promise<unknown>, begun: Set<Promise<unknown>>): void {
    const over = (): void => void begun.delete(work);
    begun.add(work);
    work.then(over, over);
  }

  async #end(): Promise<void> {
    if (this.#begun) await Promise.allSettled(this.#begun);
    await this.client.close();
  }

  /** Throws, unless it is a failure of the store and those are ignored: then it is told. */
  protected forgive(error: unknown, method: string, key: string): void {
    if (!this.settings.ignoreErrors || !isStoreFailure(error)) throw error;
    this.report(error, method, key);
  }

  protected report(error: unknown, method: string, key: string): void {
    this.settings.onError(error, { method, key });
  }

  /** @throws TypeError */
  protected prefix({ prefix }: KeyOptions): string {
    if (prefix === undefined) return this.settings.prefix;
    if (typeof prefix === "string") return prefix;
    throw new TypeError(`prefix: ${show(prefix)} is not a prefix; give a string`);
  }
}

/** Told from a bug in the caller's arguments, keys of several slots among them, which always throws. */
export function isStoreFailure(error: unknown): boolean {
  if (error instanceof ReplyError) return error.code !== "CROSSSLOT";
  return error instanceof ConnectionError || error instanceof DecodeError;
}
