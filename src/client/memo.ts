import { BatchedReads } from "../connection/batched-reads.js";
import { inTurns, refuseCycle } from "../core/async.js";
import type { Connection } from "../core/connection.js";
import type { CacheCall } from "../core/events.js";
import type { LogPlace } from "../tags/purge-log.js";
import type {
  Client,
  ClientContext,
  ClientFactory,
  DeleteOptions,
  Loader,
  LoadOptions,
  ManyLoader,
  WriteEntriesOptions,
  WriteOptions,
} from "./client.js";
import type { Sharing } from "./single-flight.js";

/** What a view knows of one key. A write through the view replaces it: what began before that is not remembered. */
class Entry {
  /** What the key was read as, `undefined` for a miss; absent while that is not known. */
  answer: { readonly value: unknown } | undefined;
  /** The read in progress. */
  read: Read | undefined;
  /** The `getOrSet` in progress. */
  load: Load | undefined;

  remember(value: unknown): void {
    this.answer = { value };
    this.read = undefined;
  }

  forgetAnswer(): void {
    this.answer = undefined;
    this.read = undefined;
  }
}

interface Read {
  /** The value, or those of several keys. */
  readonly result: Promise<unknown>;
  /** The place of the key among several. */
  readonly at: number | undefined;
}

interface Load {
  readonly value: Promise<unknown>;
  readonly options: LoadOptions;
}

/** What one view has read. It lasts as long as the view. */
export class Memo {
  readonly #entries = new Map<string, Entry>();
  #isOver = false;

  /** The connection of a view: batches its reads, and sees what is written without its client. */
  batches(connection: Connection, purges: LogPlace): Connection {
    return new BatchedReads(connection, (written) => {
      // A purge of tags may end any key.
      const log = purges.log?.key;
      if (written === undefined || (log !== undefined && written.includes(log))) this.forgetAll();
      // A load in progress writes, too. What it returns is as new as what it has written.
      else for (const text of written) if (typeof text === "string") this.#entries.get(text)?.forgetAnswer();
    });
  }

  /** Makes the client of a view. */
  client(make: ClientFactory): ClientFactory {
    return (context) => {
      const forgive: ClientContext["forgive"] = (error, method, key) => {
        context.forgive(error, method, key); // The caller takes this for a miss.
        this.#entries.get(key)?.forgetAnswer();
      };
      return new MemoClient(make({ ...context, forgive }), this, context.sharing);
    };
  }

  entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = new Entry();
      if (!this.#isOver) this.#entries.set(key, entry);
    }
    return entry;
  }

  forget(keys: Iterable<string>): void {
    for (const key of keys) this.#entries.delete(key);
  }

  forgetAll(): void {
    this.#entries.clear();
  }

  /** Remembers nothing from now on. */
  end(): void {
    this.#isOver = true;
    this.forgetAll();
  }
}

/** A client that reads each key once, and again after a write. All readers of a key get one value. */
class MemoClient implements Client {
  readonly #inner: Client;
  readonly #memo: Memo;
  readonly #sharing: Sharing;

  constructor(inner: Client, memo: Memo, sharing: Sharing) {
    this.#inner = inner;
    this.#memo = memo;
    this.#sharing = sharing;
  }

  get(key: string, call?: CacheCall): Promise<unknown> {
    const entry = this.#memo.entry(key);
    if (entry.answer) return Promise.resolve(entry.answer.value);
    if (entry.read) return shared(entry.read);
    const result = this.#inner.get(key, call);
    this.#share([entry], result, false);
    return result;
  }

  async getMany(keys: readonly string[], call?: CacheCall): Promise<unknown[]> {
    const known: (Entry["answer"] | Read)[] = [];
    const missing: string[] = [];
    const entries: Entry[] = [];
    const pass = inTurns(keys, (key, i) => {
      const entry = this.#memo.entry(key);
      known[i] = entry.answer ?? entry.read;
      if (known[i]) return;
      missing.push(key);
      entries.push(entry);
    });
    if (pass) await pass;
    const asked = missing.length > 0 ? this.#inner.getMany(missing, call) : Promise.resolve([]);
    this.#share(entries, asked, true);
    const read = await asked;
    if (missing.length === keys.length) return read;
    let next = 0;
    const values: unknown[] = [];
    for (const [i, one] of known.entries()) {
      if (!one) values.push(read[next++]);
      else if ("value" in one) values.push(one.value);
      // An error of another call need not be one of this call.
      else values.push(await shared(one).catch(async () => (await this.#inner.getMany([keys[i] ?? ""], call))[0]));
    }
    return values;
  }

  /** What is read at one moment is read at the server. */
  mget(keys: readonly string[], call?: CacheCall): Promise<unknown[]> {
    const entries = keys.map((key) => this.#memo.entry(key));
    const result = this.#inner.mget(keys, call);
    this.#share(entries, result, true);
    return result;
  }

  getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown> {
    if (options.forceRefresh) return this.#write([key], this.#inner.getOrSet(key, loader, options));
    const entry = this.#memo.entry(key);
    const known = entry.answer?.value;
    if (known !== undefined) {
      options.call?.hit();
      return Promise.resolve(known);
    }
    if (entry.load && waitsAlike(entry.load.options, options)) return this.#join(key, entry.load, options);
    const value = this.#inner.getOrSet(key, loader, options);
    const load: Load = { value, options };
    entry.load ??= load;
    const over = (): void => {
      if (entry.load === load) entry.load = undefined;
    };
    value.then((one) => {
      entry.remember(one);
      over();
    }, over);
    return value;
  }

  async getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    if (options.forceRefresh) return this.#write(keys, this.#inner.getOrSetMany(keys, loader, options));
    const values = new Map<string, unknown>();
    const missing = new Map<string, Entry>();
    let pass = inTurns(keys, (key) => {
      const entry = this.#memo.entry(key);
      const known = entry.answer?.value;
      // In the order of the keys.
      values.set(key, known);
      if (known === undefined) missing.set(key, entry);
    });
    if (pass) await pass;
    const hit = (): void => options.call?.hit(values.size - missing.size);
    const asked = [...missing.keys()];
    const loading = asked.length > 0 ? this.#inner.getOrSetMany(asked, loader, options) : Promise.resolve(values);
    // After the load: the inner client records the outcome of a call only while none is recorded.
    const loaded = await loading.finally(hit);
    pass = inTurns([...missing], ([key, entry]) => {
      if (!loaded.has(key)) return void values.delete(key);
      values.set(key, loaded.get(key));
      entry.remember(loaded.get(key));
    });
    if (pass) await pass;
    return values;
  }

  set(key: string, value: unknown, options: WriteOptions): Promise<boolean> {
    return this.#write([key], this.#inner.set(key, value, options));
  }

  setMany(entries: ReadonlyMap<string, unknown>, options: WriteEntriesOptions): Promise<string[]> {
    return this.#write(entries.keys(), this.#inner.setMany(entries, options));
  }

  mset(entries: ReadonlyMap<string, unknown>, options: WriteEntriesOptions): Promise<void> {
    return this.#write(entries.keys(), this.#inner.mset(entries, options));
  }

  delete(keys: readonly string[]): Promise<number> {
    return this.#write(keys, this.#inner.delete(keys));
  }

  has(key: string): Promise<boolean> {
    return this.#inner.has(key);
  }

  incr(...args: Parameters<Client["incr"]>): ReturnType<Client["incr"]> {
    return this.#write([args[0]], this.#inner.incr(...args));
  }

  rename(from: string, to: string): Promise<boolean> {
    return this.#write([from, to], this.#inner.rename(from, to));
  }

  pttl(key: string): Promise<number | null | undefined> {
    return this.#inner.pttl(key);
  }

  touch(key: string, ttlMs: number | null): Promise<boolean> {
    return this.#write([key], this.#inner.touch(key, ttlMs));
  }

  expireSoft(keys: readonly string[]): Promise<number> {
    return this.#write(keys, this.#inner.expireSoft(keys));
  }

  expireAt(key: string, atMs: number): Promise<boolean> {
    return this.#write([key], this.#inner.expireAt(key, atMs));
  }

  persist(key: string): Promise<boolean> {
    return this.#write([key], this.#inner.persist(key));
  }

  scan(pattern: string, count: number): AsyncIterable<string[]> {
    return this.#inner.scan(pattern, count);
  }

  deletePattern(pattern: string, options: DeleteOptions): Promise<number> {
    return this.#write(undefined, this.#inner.deletePattern(pattern, options));
  }

  flush(): Promise<void> {
    return this.#write(undefined, this.#inner.flush());
  }

  close(): Promise<void> {
    this.#memo.end();
    return this.#inner.close();
  }

  /** Has other callers share a read, and remembers what it answers. An error is not remembered. */
  #share(entries: readonly Entry[], result: Promise<unknown>, isMany: boolean): void {
    const reads = entries.map((entry, i): Read => {
      entry.read = { result, at: isMany ? i : undefined };
      return entry.read;
    });
    const settle = (work: (entry: Entry, read: Read) => void): void => {
      for (const [i, entry] of entries.entries()) {
        const read = reads[i];
        if (read && entry.read === read) work(entry, read);
      }
    };
    result.then(
      (got) => settle((entry, { at }) => entry.remember(pick(got, at))),
      () => settle((entry) => entry.forgetAnswer()),
    );
  }

  /** Waits for a load that another caller of the view has begun. */
  async #join(key: string, { value, options }: Load, { call }: LoadOptions): Promise<unknown> {
    refuseCycle(this.#sharing, key);
    const loaded = await value;
    if (options.call?.misses) call?.miss(1, true);
    else if (options.call?.stale) call?.foundStale();
    else call?.hit(1, true);
    return loaded;
  }

  /** Forgets what a write may change: when it has begun, and again when it has ended. */
  #write<T>(keys: Iterable<string> | undefined, result: Promise<T>): Promise<T> {
    const list = keys && [...keys];
    const forget = (): void => (list ? this.#memo.forget(list) : this.#memo.forgetAll());
    forget();
    result.then(forget, forget);
    return result;
  }
}

async function shared({ result, at }: Read): Promise<unknown> {
  return pick(await result, at);
}

function pick(got: unknown, at: number | undefined): unknown {
  return at === undefined ? got : Array.isArray(got) ? got[at] : undefined;
}

/** Whether two callers wait for as long, so that one may share what the other is given. */
function waitsAlike(one: LoadOptions, other: LoadOptions): boolean {
  return (["signal", "softTimeoutMs", "hardTimeoutMs"] as const).every((name) => one[name] === other[name]);
}
