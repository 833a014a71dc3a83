import { HEADER_LENGTH, isEnvelope } from "../codec/envelope.js";
import { chain, type MaybePromise, notify } from "../core/async.js";
import type { Command, Connection, ConnectionEvent, Reply } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import type { CacheCall } from "../core/events.js";
import type { Changes, IsUnchanged, Known, LogReader, Passes, ValueReader } from "../core/near.js";
import { isOfPrimary, type Writes } from "./commands.js";
import { type ConnectionNear, NearConnection } from "./connection.js";
import { Hub, type Member } from "./hub.js";
import type { NearCache, NearContext, NearHealth, NearSettings } from "./port.js";
import { notListening, type Refusal, type RefusedError, withoutLifetimes } from "./refusals.js";
import { isTrusted, type Source, unproved } from "./source.js";
import { type Mark, NearStore } from "./store.js";
import { Values } from "./values.js";
import { Waiters } from "./waiters.js";

const METHOD = "nearCache";
/** A process that sends a few commands and ends need not listen, and what a cold start has still to do comes first. */
const LISTEN_AFTER_MS = 50;
const CHANNEL = "valkey-edge-cache:near:";
/** A decoded value takes more memory than its text. Measured on Node 24, for a JSON object of 1 KB. */
const SHARED_WEIGHT = 4;

/** The near cache of one cache, for all its connections. */
export class Near implements NearCache, ConnectionNear, Member {
  readonly prefix: string;
  readonly channel: string;
  readonly maxStalenessMs: number;
  generation: number | undefined;
  /** Whether it has what it works with, or never needs it. */
  hasStarted: boolean;
  readonly #context: NearContext;
  readonly #settings: NearSettings;
  readonly #hub: Hub;
  readonly #store: NearStore;
  readonly #values: Values;
  /** Under `"off"` it keeps nothing: tracking was demanded, and the server refuses it. */
  #mode: NearHealth["invalidation"] | "off";
  #refusal: Refusal | undefined;
  /** The next kind of invalidation may be refused as well: there is one warning for both. */
  #isUnreported = false;
  /** The server refuses PTTL. Without lifetimes nothing is kept. */
  #noLifetimes: Error | undefined;
  readonly #unproved: Source = unproved();
  readonly #connections = new Set<Connection>();
  readonly #watchers = new Set<(event: ConnectionEvent) => void>();
  readonly #waiters = new Waiters();
  readonly #listeners = new Set<(storedKey: string) => void>();
  #dropped = 0;
  #droppedKey = "";

  constructor(context: NearContext, settings: NearSettings) {
    this.#context = context;
    this.#settings = settings;
    // No key begins with half of a surrogate pair, so without a known prefix nothing is kept.
    this.prefix = context.prefix ?? "\ud800";
    this.channel = CHANNEL + this.prefix;
    this.maxStalenessMs = settings.maxStalenessMs;
    this.#mode = settings.invalidation ?? "tracking";
    this.hasStarted = context.prefix === undefined;
    const { listener } = context;
    this.#hub = Hub.of(typeof listener === "object" ? listener.key : context.server);
    const limits = { ...settings, weight: settings.shares ? SHARED_WEIGHT : 1 };
    this.#store = new NearStore(limits, this.#hub.time, (key) =>
      context.events.emit("evict", () => ({ method: METHOD, key, count: 1 })),
    );
    this.#values = new Values(settings.shares, context.tags, this.#hub.time, () => context.events.sent.nearHits++);
    context.events.near = this.#store;
  }

  wrap(connection: Connection): Connection {
    return new NearConnection(this, connection);
  }

  health(): NearHealth {
    const { lastError } = this.#hub;
    const isLive = this.#hub.hears(this);
    const refusal = this.#refusal?.error;
    const error = refusal ?? this.#noLifetimes ?? (isLive ? undefined : lastError);
    return {
      invalidation: this.#mode === "off" ? (this.#settings.invalidation ?? "tracking") : this.#mode,
      listening: this.wants !== "nothing" && isLive,
      entries: this.#store.entries,
      size: this.#store.size,
      ...(error && this.#mode !== "ttl" ? { lastError: error } : refusal ? { lastError: refusal } : {}),
    };
  }

  onKey(listener: (storedKey: string) => void): () => void {
    // One of its own, so that the same listener can be added twice.
    const added = (key: string): void => listener(key);
    this.#listeners.add(added);
    return () => void this.#listeners.delete(added);
  }

  // What a connection asks.

  join(connection: Connection): () => void {
    this.#connections.add(connection);
    this.#hub.join(this);
    if (this.hasStarted) this.#listen();
    // Held here, as connections hold it weakly.
    const onEvent = (event: ConnectionEvent): void => {
      if (event.kind === "connection" && event.state !== "failed") this.#hub.verify();
    };
    const unwatch = connection.watch?.(onEvent);
    this.#watchers.add(onEvent);
    return () => {
      unwatch?.();
      this.#watchers.delete(onEvent);
      this.#connections.delete(connection);
      if (!this.isOpen) this.#hub.left(this);
    };
  }

  get isOpen(): boolean {
    return this.#connections.size > 0;
  }

  readonly start = (): void => {
    if (this.hasStarted) return;
    this.hasStarted = true;
    if (this.wants === "nothing") return void this.#open();
    const timer: { unref?(): void } = setTimeout(() => {
      this.#open();
      this.#listen();
    }, LISTEN_AFTER_MS);
    timer.unref?.();
  };

  #open(): void {
    const opened = chain(this.#settings.loadList(), (List) => this.#store.open(List));
    if (opened instanceof Promise) opened.catch(this.#context.report);
  }

  #listen(): void {
    const { listener } = this.#context;
    const { load } = this.#settings;
    if (typeof listener === "object" && load && this.wants !== "nothing") this.#hub.listen(listener, load);
  }

  holds(key: string): boolean {
    return this.#mode !== "off" && key.startsWith(this.prefix);
  }

  recall(key: string): Known | undefined {
    const known = this.#store.recall(key);
    if (known) this.#context.events.sent.nearHits++;
    return known;
  }

  value(key: string, reader: ValueReader, passes?: Passes, call?: CacheCall): MaybePromise<unknown> | undefined {
    const nowMs = this.nowMs();
    return this.#values.fresh(this.#store.recall(key, nowMs), nowMs, key, reader, passes, call);
  }

  values(keys: readonly string[], reader: ValueReader, call?: CacheCall): (MaybePromise<unknown> | undefined)[] {
    const nowMs = this.nowMs();
    return keys.map((key) => this.#values.fresh(this.#store.recall(key, nowMs), nowMs, key, reader, undefined, call));
  }

  settle<T>(value: MaybePromise<T>): MaybePromise<T> {
    return this.#values.settle(value);
  }

  nowMs(): number {
    return this.#hub.time.now();
  }

  mark(key: string): Mark | undefined {
    const source = this.#sourceOf(key);
    return source && this.#store.mark(key, source);
  }

  release(mark: Mark): void {
    this.#store.release(mark);
  }

  keep(mark: Mark, stored: Reply, left: Reply, sentMs: number): void {
    if (!(left instanceof ReplyError)) this.#noLifetimes = undefined;
    else if (!this.#noLifetimes) {
      this.#noLifetimes = withoutLifetimes(left);
      this.#context.report(this.#noLifetimes);
    }
    if ((typeof stored !== "string" && !(stored instanceof Uint8Array)) || typeof left !== "number") return;
    // -1: it never expires. -2: it is gone.
    const leftMs = left === -1 ? Number.POSITIVE_INFINITY : left;
    // Callers wait for the end of a lease on a missing entry, so it is kept only where the server notifies of that.
    if (mark.source === this.#unproved && stored.length === HEADER_LENGTH && isEnvelope(stored)) return;
    // A copy of their own, which `slice()` of a Buffer is not.
    const own = typeof stored === "string" ? stored : new Uint8Array(stored);
    if (leftMs > 0) this.#store.keep(mark, own, leftMs, sentMs);
  }

  keeps(key: string): boolean {
    return this.#hub.keeps(key);
  }

  watch(key: string, reader?: LogReader): IsUnchanged | undefined {
    const mark = this.mark(key);
    const follow = reader && this.#mode === "tracking" ? () => this.#hub.follow(key, reader) : undefined;
    return mark && this.#store.watch(mark, reader, follow);
  }

  writes(writes: Writes): () => void {
    return this.#hub.beginWrite(writes);
  }

  announced(commands: readonly Command[], writes: Writes): readonly Command[] {
    return this.#mode === "channel" ? [...commands, this.#message(writes)] : commands;
  }

  announce(connection: Connection, writes: Writes): void {
    if (this.#mode !== "channel" || (!writes.all && writes.keys.length === 0)) return;
    connection.send([this.#message(writes)]).then(([reply = null]) => this.checkAnnounced(reply), this.#context.report);
  }

  checkAnnounced(reply: Reply): void {
    if (!(reply instanceof ReplyError) || this.#mode !== "channel") return;
    const isKnown = this.#hub.publishRefused(this.channel, `${reply.code} ${reply.detail}`);
    if (!isKnown) this.#context.report(reply);
  }

  onChange(key: string, changed: () => void): (() => void) | undefined {
    return this.#isHeard(key) ? this.#waiters.add(key, changed) : undefined;
  }

  changes(keys: readonly string[]): Changes | undefined {
    return keys.every((key) => this.#isHeard(key)) ? this.#waiters.changes(keys) : undefined;
  }

  /** Whether the server notifies of changes of a key. */
  #isHeard(key: string): boolean {
    const source = this.#mode === "tracking" ? this.#sourceOf(key) : undefined;
    return source !== undefined && isTrusted(source, this.nowMs(), this.maxStalenessMs);
  }

  // Called by the hub.

  async isPrimary(): Promise<boolean> {
    const [connection] = this.#connections;
    const [hello = null] = (await connection?.send([["HELLO"]], { readOnly: true, primary: true })) ?? [];
    return isOfPrimary(hello);
  }

  replaceConnections(): void {
    for (const connection of this.#connections) connection.replace?.();
  }

  beginWrite({ keys, all }: Writes): void {
    if (all) this.#store.beginWriteOfAll();
    else for (const key of keys) this.#store.beginWrite(key);
  }

  endWrite({ keys, all }: Writes): void {
    if (all) this.#store.endWriteOfAll();
    else for (const key of keys) this.#store.endWrite(key);
    // Waiting callers are woken by the server, as a claim that fails writes nothing.
  }

  get wants(): Member["wants"] {
    if (this.#mode === "off" || this.#mode === "ttl" || this.#context.prefix === undefined) return "nothing";
    return this.#mode;
  }

  dropKey(key: string): void {
    if (this.#store.changed(key)) {
      this.#dropped++;
      this.#droppedKey = key;
    }
    this.#waiters.wake(key);
    for (const listener of this.#listeners) notify(listener, this.#context.report, key);
  }

  hear(key: string, message: string, source: Source): void {
    this.#store.hear(key, message, source);
  }

  dropAll(): void {
    this.#dropped += this.#store.dropAll();
    this.#waiters.wakeAll();
    this.batchEnded();
  }

  batchEnded(): void {
    const count = this.#dropped;
    if (count === 0) return;
    const key = count === 1 ? this.#droppedKey : "";
    this.#dropped = 0;
    this.#droppedKey = "";
    this.#context.events.emit("invalidate", () => ({ method: METHOD, key, count }));
  }

  /** What is kept goes on being judged by its source. Waiting callers look for themselves. */
  listeningChanged(): void {
    this.#waiters.wakeAll();
    if (this.#hub.hears(this)) this.#reportRefusal();
  }

  refused(refused: RefusedError): void {
    const { listener, server } = this.#context;
    const name = typeof listener === "object" ? listener.name : server;
    const refusal = refused.toRefusal(this.#settings.invalidation, name, this.#refusal?.remedy);
    this.#refusal = refusal;
    this.#mode = refusal.mode;
    this.#store.dropAll();
    this.#waiters.wakeAll();
    this.#isUnreported = true;
    if (refusal.mode !== "channel") this.#reportRefusal();
  }

  #reportRefusal(): void {
    if (this.#isUnreported) this.#context.report(this.#refusal?.error);
    this.#isUnreported = false;
  }

  failed(error: Error): void {
    this.#context.report(notListening(error));
  }

  #sourceOf(key: string): Source | undefined {
    if (!this.holds(key)) return undefined;
    if (this.#mode === "tracking") {
      const source = this.generation === undefined ? undefined : this.#hub.sourceOf(key);
      // An older link does not hear of this cache's keys.
      return source && source.generation >= (this.generation ?? 0) ? source : undefined;
    }
    return this.#unproved;
  }

  #message({ keys, all }: Writes): Command {
    return ["PUBLISH", this.channel, JSON.stringify(all ? [] : keys)];
  }
}
