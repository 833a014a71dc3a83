import { setTimeout as pause } from "node:timers/promises";
import { type Cache, type Command, type Namespace, ReplyError } from "valkey-edge-cache";
import { CACHES, idOf, nowMs, valueFor } from "../promises/model.ts";
import { pick, placeOf, type Random } from "../promises/operations.ts";
import { type Circumstances, Notes } from "./calls.ts";
import type { Birth } from "./history.ts";

export interface HotParts extends Circumstances {
  readonly cache: Cache;
  readonly prefix: string;
  readonly version: number;
  /** All its keys are in this namespace of the prefix. @default none */
  readonly namespace?: Namespace;
  readonly keys: readonly [string, ...string[]];
  /** Those that this process writes. What it writes it knows without being told. */
  readonly written: readonly [string, ...string[]];
  /** All keys are in one slot of a cluster, so that methods on several keys may be called. */
  readonly isOneSlot: boolean;
  readonly random: Random;
  newId(): number;
  /** Whether a value could not be stored since then, for all that is known: the server may still do so. */
  hasFailed(sinceMs: number): boolean;
}

const READERS = 2;
/** Between two turns of a reader, and of the writer, at most. */
const READ_PAUSE_MS = 8;
const WRITE_PAUSE_MS = 80;
const TAGS = ["red", "blue", "green"] as const;
/** What stored keys of the namespace begin with after prefix and version. It is the tag of all its values. */
export const NAMESPACE = { name: "hot", path: "ns(hot):" } as const;
const SET = "return redis.call('SET', KEYS[1], ARGV[1])";

/** Reads the same few entries over and over, as a near cache is there for, and changes one now and then. */
export class Hot {
  readonly notes: Notes;
  readonly #it: HotParts;
  readonly #mayBeExpired: boolean;
  /** Calls that may share a load: how many run, and when the first of them began. */
  #loading = 0;
  #loadingMs = 0;

  constructor(parts: HotParts) {
    this.#it = parts;
    this.notes = new Notes(parts.process);
    this.#mayBeExpired = parts.client === "herd" && parts.setsClock;
  }

  async play(endMs: number): Promise<void> {
    const until = async (work: () => Promise<void>, longestMs: number): Promise<void> => {
      while (nowMs() < endMs) {
        // A store error is an answer, too.
        await work().catch(() => {});
        await pause(this.#it.random() * longestMs);
      }
    };
    const readers = Array.from({ length: READERS }, () => until(() => this.#read(), READ_PAUSE_MS));
    await Promise.all([...readers, until(() => this.#write(), WRITE_PAUSE_MS)]);
  }

  async #read(): Promise<void> {
    const { cache, keys, random, isOneSlot } = this.#it;
    const chance = random();
    const startMs = nowMs();
    if (chance < 0.6) {
      for (const key of keys) {
        const sentMs = nowMs();
        this.#saw("get", key, await cache.get(key), sentMs);
      }
    } else if (chance < 0.8) this.#sawAll("getMany", await cache.getMany(keys), startMs);
    else if (chance < 0.83 && isOneSlot) this.#sawAll("mget", await cache.mget(keys), startMs);
    else await this.#load();
  }

  async #load(): Promise<void> {
    const { cache, keys, random } = this.#it;
    const startMs = nowMs();
    if (this.#loading++ === 0) this.#loadingMs = startMs;
    const fromMs = this.#loadingMs;
    const births: Birth[] = [];
    const load = async (key: string): Promise<unknown> => {
      const { newId, client } = this.#it;
      const id = newId();
      const birth = this.notes.writing(this.#place(key), id, nowMs(), { tags: this.#tagsOf(id), isLoaded: true });
      if (client === "default") births.push(birth);
      if (random() < 0.3) await pause(random() * 5);
      return valueFor(id);
    };
    try {
      let returned: readonly unknown[];
      if (random() < 0.7) {
        const key = pick(random, keys);
        returned = [await cache.getOrSet(key, () => load(key), { tags: tagsOfValue })];
        this.#saw("getOrSet", key, returned[0], fromMs);
      } else {
        const loadAll = async (missing: readonly string[]) =>
          new Map(await Promise.all(missing.map(async (key) => [key, await load(key)] as const)));
        const values = await cache.getOrSetMany(keys, loadAll, { tags: tagsOfValue });
        returned = [...values.values()];
        this.#sawAll("getOrSetMany", values, fromMs);
      }
      if (this.#it.hasFailed(startMs)) return;
      // What replaces a value that was purged softly is loaded in the background, and may be stored later.
      const ids = new Set(returned.map(idOf).flatMap((seen) => (seen && "id" in seen ? [seen.id] : [])));
      for (const birth of births) if (ids.has(birth.id)) birth.endMs = nowMs();
    } finally {
      this.#loading--;
    }
  }

  async #write(): Promise<void> {
    const { cache, written, random, isOneSlot } = this.#it;
    const key = pick(random, written);
    const some = [...new Set([key, pick(random, written)])];
    const ttl = pick(random, [null, 60, 1, 0.3, 0.1]);
    const place = this.#place(key);
    const kinds: (() => Promise<unknown>)[] = [
      () => this.#set("set", [key], ttl, ([value]) => cache.set(key, value, { ttl, tags: tagsOfValue(value) }), true),
      () => this.#set("add", [key], ttl, ([value]) => cache.add(key, value, { ttl, tags: tagsOfValue(value) }), true),
      () =>
        this.#set(
          "setMany",
          some,
          ttl,
          async (values) => {
            const entries = new Map(some.map((one, i) => [one, values[i]]));
            return (await cache.setMany(entries, { ttl, tags: tagsOfValue })).length === 0;
          },
          true,
        ),
      () => this.#remove("delete", [key], () => cache.delete(key)),
      () => this.#remove("deleteMany", some, () => cache.deleteMany(some)),
      () => this.#extend(key, ttl, () => cache.touch(key, ttl)),
      () => this.#extend(key, 1, () => cache.expire(key, 1)),
      () => this.#extend(key, null, () => cache.persist(key)),
      () => this.#set("SET", [key], null, ([value]) => this.#send(["SET", place, JSON.stringify(value)])),
      () => this.#set("EVAL", [key], null, ([value]) => this.#send(["EVAL", SET, "1", place, JSON.stringify(value)])),
      () => this.#remove("UNLINK", [key], () => this.#send(["UNLINK", place])),
      () => this.#purge(),
      () => this.#remove("GETDEL", [key], () => this.#send(["GETDEL", place])),
    ];
    if (isOneSlot) {
      kinds.push(() =>
        this.#set("mset", some, ttl, async (values) => {
          await cache.mset(new Map(some.map((one, i) => [one, values[i]])), { ttl });
          return true;
        }),
      );
    }
    this.notes.operations++;
    await pick(random, kinds as [() => Promise<unknown>, ...(() => Promise<unknown>)[]])();
  }

  /**
   * @param run resolves with whether everything was written
   * @param isTagged whether the values are written with their tags
   */
  async #set(
    what: string,
    keys: readonly string[],
    ttl: number | null,
    run: (values: readonly unknown[]) => Promise<unknown>,
    isTagged = false,
  ): Promise<void> {
    const startMs = nowMs();
    const births = keys.map((key) => {
      const id = this.#it.newId();
      return this.notes.writing(this.#place(key), id, startMs, isTagged ? { tags: this.#tagsOf(id) } : {});
    });
    const isWritten = await run(births.map(({ id }) => valueFor(id)));
    if (isWritten === false) return;
    const endMs = nowMs();
    for (const birth of births) {
      const { place, id } = birth;
      Object.assign(birth, { endMs, untilMs: ttl === null ? Infinity : endMs + ttl * 1_000 });
      this.notes.ended({ place, startMs, endMs, keeps: id, what });
    }
  }

  async #remove(what: string, keys: readonly string[], run: () => Promise<unknown>): Promise<void> {
    const startMs = nowMs();
    await run();
    const endMs = nowMs();
    for (const key of keys) this.notes.ended({ place: this.#place(key), startMs, endMs, what });
  }

  async #purge(): Promise<void> {
    const { cache, namespace, random, prefix, version } = this.#it;
    const soft = random() < 0.4;
    const match = random() < 0.3 ? "all" : "any";
    const isAll = namespace !== undefined && random() < 0.5;
    const some = [...new Set([pick(random, TAGS), pick(random, TAGS)])];
    const startMs = nowMs();
    await (isAll ? namespace.purge({ soft }) : cache.purgeTags(some, { soft, match }));
    const tags = isAll ? [NAMESPACE.path] : some;
    this.notes.purged({ prefix: `${prefix}:${version}:`, tags, soft, match, startMs, endMs: nowMs() });
  }

  #tagsOf(id: number): readonly string[] {
    return this.#it.namespace ? [...tagsOf(id), NAMESPACE.path] : tagsOf(id);
  }

  async #extend(key: string, ttl: number | null, run: () => Promise<unknown>): Promise<void> {
    const extension = { place: this.#place(key), endMs: Infinity, untilMs: Infinity };
    this.notes.extensions.push(extension);
    await run();
    const endMs = nowMs();
    Object.assign(extension, { endMs, untilMs: ttl === null ? Infinity : endMs + ttl * 1_000 });
  }

  async #send(command: Command): Promise<void> {
    const [reply] = await this.#it.cache.connection.send([command]);
    if (reply instanceof ReplyError) throw reply;
  }

  #place(key: string): string {
    return placeOf(this.#it, this.#it.namespace ? NAMESPACE.path + key : key);
  }

  #sawAll(method: string, values: ReadonlyMap<string, unknown>, startMs: number): void {
    for (const [key, value] of values) this.#saw(method, key, value, startMs);
  }

  #saw(method: string, key: string, value: unknown, startMs: number): void {
    const seen = idOf(value);
    this.notes.operations++;
    if (!seen) return;
    const place = this.#place(key);
    if ("other" in seen) this.notes.strange.push(`${place}: ${method}: ${seen.other}`);
    else {
      const mayBeStale = method.startsWith("getOrSet");
      const mayBeExpired = this.#mayBeExpired || (this.#it.client === "herd" && mayBeStale);
      this.notes.saw({ place, id: seen.id, method, startMs, mayBeExpired, mayBeStale });
    }
  }
}

/** The tags of a value, by its number; none for some. */
function tagsOf(id: number): readonly string[] {
  const [red, blue, green] = TAGS;
  // The lowest digits are those of the process.
  return [[], [red], [blue], [red, blue], [green]][Math.floor(id / CACHES) % 5] ?? [];
}

function tagsOfValue(value: unknown): readonly string[] {
  const seen = idOf(value);
  return seen && "id" in seen ? tagsOf(seen.id) : [];
}
