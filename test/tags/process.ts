import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Hono } from "hono";
import {
  type Cache,
  CacheError,
  type ConnectionFactory,
  createCache,
  defaultClient,
  define,
  glide,
  glideCluster,
  herd,
  iovalkey,
  nearCache,
  sentinel,
} from "valkey-edge-cache";
import { httpCache } from "valkey-edge-cache/hono";
import { nowMs } from "../promises/model.ts";
import { pick, type Random, randomFrom } from "../promises/operations.ts";
import type { Where } from "../staleness/round.ts";
import { type Event, KEPT, type Purge, type Read, type Value } from "./history.ts";

/** One process of a round. */
export interface Part {
  /** Unlike that of any other process of the round. */
  readonly name: string;
  readonly where: Where;
  readonly client: "default" | "herd";
  readonly transport: "glide" | "iovalkey" | "cluster" | "sentinel";
  readonly keyPrefix: string;
  /** `undefined` without a near cache. */
  readonly maxStalenessMs: number | undefined;
  /** How far its wall clock is off. */
  readonly clockMs: number;
  readonly seed: number;
  /** Where it writes what it does: a line of JSON for each `Event`, before its next step, so that a kill loses none. */
  readonly file: string;
}

const TAGS = ["red", "green", "blue", "grey"] as const;
const KEYS = ["a", "b", "c", "d", `${KEPT}:1`, `${KEPT}:2`] as const;
const PAGES = ["a", "b", "c"] as const;
const CALLERS = 3;
const TTL = "1d";
/** Names that would confuse a careless key. */
const [OUTER, INNER] = ["a:b", "*"] as const;
const PAGE = { path: "page/", namespaces: [] };

/** A cache or a namespace, with what all its values end by. */
interface Place {
  readonly cache: Cache;
  readonly path: string;
  readonly namespaces: readonly string[];
  readonly values: ReturnType<typeof definitionOver>;
}

/** What a loader is called for, as far as the test has to know. */
interface Loading {
  /** When its call began. */
  readonly callMs: number;
  /** The store errors that there had been then. */
  readonly errors: number;
  readonly takesMs: number;
  readonly loaded: Set<string>;
}

class LoadError extends Error {}

type Load = (key: string, loading: Loading) => Promise<Value>;

/** Values whose id is a key and the load that it is asked for by. */
function definitionOver(cache: Cache, load: Load) {
  type Id = readonly [key: string, loading: Loading];
  return define<Id, Value>(cache, {
    key: ([key]) => key,
    load: ([key, loading]) => load(key, loading),
    loadMany: async (ids) =>
      new Map(await Promise.all(ids.map(async (id): Promise<[Id, Value]> => [id, await load(...id)]))),
    ttl: TTL,
    tags: ({ tags }) => withoutNamespaces(tags),
  });
}

const isNamespace = (tag: string): boolean => tag.startsWith("ns ");
const withoutNamespaces = (tags: readonly string[]): readonly string[] => tags.filter((tag) => !isNamespace(tag));

/** One process: what it does, and what it knows of that. */
class Process {
  readonly #part: Part;
  readonly #random: Random;
  readonly #log: number;
  readonly #places: readonly [Place, Place, Place];
  readonly #pages: Hono<{ Bindings: { loading: Loading } }>;
  #errors = 0;
  #ids = 0;

  constructor(part: Part) {
    this.#part = part;
    this.#random = randomFrom(part.seed);
    this.#log = openSync(part.file, "a");
    const { where, client, keyPrefix, maxStalenessMs } = part;
    const cache = createCache({
      location: where.location,
      keyPrefix,
      connectionFactory: factoryOf(part),
      client: client === "herd" ? herd({ lease: "300ms", waitTimeout: "1s" }) : defaultClient(),
      ...(maxStalenessMs === undefined ? {} : { nearCache: nearCache({ maxStaleness: maxStalenessMs / 1_000 }) }),
      onError: (error) => {
        if (!(error instanceof LoadError)) this.#errors++;
      },
    });
    const place = (of: Cache, ...names: readonly string[]): Place => {
      const namespaces = names.map((_, i) => `ns ${names.slice(0, i + 1).join(" ")}`);
      const path = names.map((name) => `${name}/`).join("");
      const load: Load = (key, loading) => this.#load({ path, namespaces }, key, loading);
      return { cache: of, path, namespaces, values: definitionOver(of, load) };
    };
    const outer = cache.namespace(OUTER);
    this.#places = [place(cache), place(outer, OUTER), place(outer.namespace(INNER), OUTER, INNER)];
    this.#pages = new Hono<{ Bindings: { loading: Loading } }>();
    this.#pages.use(httpCache({ cache }));
    this.#pages.onError((_, c) => c.text("no database", 500));
    this.#pages.get("/:key", async (c) => {
      const value = await this.#load(PAGE, c.req.param("key"), c.env.loading);
      return c.json(value, 200, { "cache-control": "max-age=86400", "cache-tag": value.tags.join(",") });
    });
  }

  async play(): Promise<void> {
    const caller = async (): Promise<never> => {
      for (;;) {
        // A store or a loader that fails says nothing of tags.
        await this.#step().catch((error: unknown) => {
          if (!(error instanceof CacheError || error instanceof LoadError)) throw error;
        });
        await pause(this.#random() < 0.5 ? 0 : this.#random() * 20);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
  }

  #step(): Promise<void> {
    const random = this.#random;
    const isRoot = random() < 0.7;
    const place = isRoot ? this.#places[0] : pick(random, [this.#places[1], this.#places[2]]);
    const key = isRoot ? pick(random, KEYS) : pick(random, ["a", "b"]);
    const { cache, values } = place;
    const tags = (value: Value): readonly string[] => withoutNamespaces(value.tags);
    const stored = (keys: readonly string[], call: () => Promise<ReadonlyMap<string, Value>>) =>
      this.#read("stored", place.path, keys, call);
    const loads = (keys: readonly string[], call: (loading: Loading) => Promise<ReadonlyMap<string, Value>>) =>
      this.#read("load", place.path, keys, call);
    const steps: readonly (readonly [weight: number, step: () => Promise<void>])[] = [
      [22, () => stored([key], async () => asMap(key, await cache.get<Value>(key)))],
      [4, () => stored(KEYS, () => cache.getMany<Value>(KEYS))],
      [
        4,
        () =>
          stored([key], async () => {
            await using view = cache.for({ memo: true });
            return asMap(key, await view.get<Value>(key));
          }),
      ],
      [4, () => stored([key], async () => asMap(key, await values.peek([key, this.#loading()])))],
      [8, () => this.#page(pick(random, PAGES))],
      [
        22,
        () =>
          loads([key], async (loading) => {
            const load = ({ stale }: { readonly stale: Value | undefined }) =>
              this.#load(place, key, loading, stale === undefined);
            return asMap(key, await cache.getOrSet<Value>(key, load, { ttl: TTL, tags }));
          }),
      ],
      [
        4,
        () =>
          loads([key], async (loading) => {
            const forceRefresh = random() < 0.3;
            const value = await cache.getOrSet<Value>(
              key,
              async (context: { tags(...tags: readonly string[]): void }) => {
                const loaded = await this.#load(place, key, loading);
                context.tags(...tags(loaded));
                return loaded;
              },
              { ttl: TTL, forceRefresh },
            );
            return asMap(key, value);
          }),
      ],
      [
        7,
        () =>
          loads(KEYS, (loading) => {
            const load = async (keys: readonly string[]) => {
              const loaded = keys.map((one) => this.#load(place, one, loading));
              return new Map((await Promise.all(loaded)).map((value, i) => [keys[i] ?? "", value]));
            };
            return cache.getOrSetMany<Value>(KEYS, load, { ttl: TTL, tags });
          }),
      ],
      [
        5,
        () =>
          loads([key], async (loading) => {
            await using view = cache.for({ memo: random() < 0.5 });
            return asMap(key, await values.with(view).get([key, loading]));
          }),
      ],
      [
        4,
        () =>
          loads(KEYS, async (loading) => {
            const found = await values.getMany(KEYS.map((one) => [one, loading] as const));
            return new Map(Array.from(found, ([[one], value]) => [one, value]));
          }),
      ],
      [2, () => loads([key], async (loading) => asMap(key, await values.refresh([key, loading])))],
      [6, () => this.#set([key], place, async ([value]) => value && cache.set(key, value, { ttl: TTL, tags }))],
      [2, () => this.#set([key], place, async ([value]) => value && cache.add(key, value, { ttl: TTL, tags }))],
      [
        2,
        () =>
          this.#set([key, "b", "c"], place, async (list) => {
            const entries = new Map(list.map((value, i) => [[key, "b", "c"][i] ?? "", value]));
            return (await cache.setMany(entries, { ttl: TTL, tags })).length === 0;
          }),
      ],
      [5, () => this.#purge()],
      [1, () => this.#purgeNamespace()],
    ];
    let choice = random() * steps.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, step] of steps) {
      choice -= weight;
      if (choice < 0) return step();
    }
    return Promise.resolve();
  }

  async #read(
    method: Read["method"],
    path: string,
    keys: readonly string[],
    call: (loading: Loading) => Promise<ReadonlyMap<string, Value>>,
  ): Promise<void> {
    const loading = this.#loading();
    const values = await call(loading);
    const endMs = nowMs();
    for (const key of new Set(keys)) {
      const found = values.get(key) ?? null;
      if (!found && this.#errors > loading.errors) continue;
      const isLoaded = found !== null && loading.loaded.has(found.id);
      this.#note({ what: "read", method, key: path + key, found, isLoaded, startMs: loading.callMs, endMs });
    }
  }

  #page(key: string): Promise<void> {
    return this.#read("http", PAGE.path, [key], async (loading) => {
      const response = await this.#pages.request(`http://shop.example/${key}`, {}, { loading });
      return asMap(key, response.ok ? ((await response.json()) as Value) : undefined);
    });
  }

  #loading(): Loading {
    const takesMs = this.#random() < 0.5 ? 0 : this.#random() * 80;
    return { callMs: nowMs(), errors: this.#errors, takesMs, loaded: new Set() };
  }

  /** Loads as a database does: it reads a value, and answers later. @param isMissing nothing was found, not even a stale value */
  async #load(
    { path, namespaces }: Pick<Place, "path" | "namespaces">,
    key: string,
    { callMs, errors, takesMs, loaded }: Loading,
    isMissing = false,
  ): Promise<Value> {
    const value = this.#newValue(key, namespaces);
    loaded.add(value.id);
    const [wasMissing, endMs] = [isMissing && this.#errors === errors, nowMs()];
    this.#note({ what: "load", id: value.id, key: path + key, isMissing: wasMissing, startMs: callMs, endMs });
    if (takesMs > 0) await pause(takesMs);
    if (this.#random() < 0.1) throw new LoadError("no database");
    return value;
  }

  async #set(
    keys: readonly string[],
    { path, namespaces }: Place,
    call: (values: readonly Value[]) => Promise<unknown>,
  ): Promise<void> {
    const values = keys.map((key) => this.#newValue(key, namespaces));
    const startMs = nowMs();
    const before = this.#errors;
    const isSet = await call(values);
    if (!isSet || this.#errors > before) return;
    const endMs = nowMs();
    for (const [i, { id }] of values.entries()) this.#note({ what: "set", id, key: path + keys[i], startMs, endMs });
  }

  async #purge(): Promise<void> {
    const random = this.#random;
    const soft = random() < 0.4;
    const tags = soft && random() < 0.3 ? [KEPT] : someTags(random);
    const only = random() < 0.7 ? undefined : pick(random, ["data", "http"] as const);
    const purge: Purge = { tags, soft, match: random() < 0.3 ? "all" : "any", only };
    await this.#notePurge(purge, () => this.#places[0].cache.purgeTags(tags, { soft, match: purge.match, only }));
  }

  async #purgeNamespace(): Promise<void> {
    const soft = this.#random() < 0.4;
    const isOuter = this.#random() < 0.5;
    const outer = this.#places[0].cache.namespace(OUTER);
    const namespace = isOuter ? outer : outer.namespace(INNER);
    const tags = [isOuter ? `ns ${OUTER}` : `ns ${OUTER} ${INNER}`];
    await this.#notePurge({ tags, soft, match: "any" }, () => namespace.purge({ soft }));
  }

  async #notePurge(purge: Purge, call: () => Promise<void>): Promise<void> {
    const startMs = nowMs();
    const before = this.#errors;
    await call();
    if (this.#errors === before) this.#note({ what: "purge", purge, startMs, endMs: nowMs() });
  }

  #newValue(key: string, namespaces: readonly string[]): Value {
    const tags = key.startsWith(KEPT) ? [KEPT] : someTags(this.#random);
    return { id: `${this.#part.name}-${++this.#ids}`, tags: [...tags, ...namespaces] };
  }

  #note(event: Event): void {
    writeSync(this.#log, `${JSON.stringify(event)}\n`);
  }
}

function factoryOf({ transport, where: { sentinels } }: Part): ConnectionFactory {
  const timeouts = { commandTimeout: 1, connectTimeout: 1 };
  switch (transport) {
    case "glide":
      return glide(timeouts);
    case "iovalkey":
      return iovalkey(timeouts);
    case "cluster":
      return glideCluster(timeouts);
    case "sentinel":
      return sentinel({ sentinels, ...timeouts });
  }
}

function someTags(random: Random): readonly string[] {
  const first = pick(random, TAGS);
  return random() < 0.5 ? [first] : [...new Set([first, pick(random, TAGS)])];
}

function asMap(key: string, value: Value | undefined): Map<string, Value> {
  return new Map(value ? [[key, value]] : []);
}

const part: Part = JSON.parse(process.argv[2] ?? "");
const realNow = Date.now.bind(Date);
Date.now = () => realNow() + part.clockMs;
// However the process that has started this one ends, this one ends with it.
process.once("disconnect", () => process.exit());
await new Process(part).play();
