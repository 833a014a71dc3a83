import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { CacheError, createCache, defaultClient, glide, herd, iovalkey, nearCache } from "valkey-edge-cache";
import { nowMs } from "../promises/model.ts";
import { pick, type Random, randomFrom } from "../promises/operations.ts";

/** One process of a round. */
export interface Part {
  /** Unlike that of any other process of the round. */
  readonly name: string;
  readonly location: string;
  readonly client: "default" | "herd";
  readonly transport: "glide" | "iovalkey";
  readonly keyPrefix: string;
  /** `undefined` without a near cache. */
  readonly maxStalenessMs: number | undefined;
  /** How far its wall clock is off. */
  readonly clockMs: number;
  readonly seed: number;
  /** Where it writes what it does: a line of JSON for each `Event`, before its next step, so that a kill loses none. */
  readonly file: string;
}

export interface Value {
  readonly id: string;
  readonly tags: readonly string[];
}

/** What a process did, by the clock that all processes of the machine read alike. */
export type Event =
  /** A loader was called. `isMissing`: the store had answered, and had no value, not even a stale one. */
  | ({ readonly what: "load"; readonly id: string; readonly key: string; readonly isMissing: boolean } & Span)
  | ({ readonly what: "set"; readonly id: string; readonly key: string } & Span)
  | ({ readonly what: "purge"; readonly purge: Purge } & Span)
  | ({ readonly what: "read" } & Read);

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

export type Kept = "kept";

export interface Purge {
  readonly tags: readonly string[];
  readonly soft: boolean;
  readonly match: "any" | "all";
}

export interface Read extends Span {
  readonly method: "get" | "getMany" | "getOrSet";
  readonly key: string;
  /** `null` when there was none, and the store had not failed. */
  readonly found: Value | null;
  /** The value that this call has loaded. */
  readonly loaded: string | undefined;
}

const TAGS = ["red", "green", "blue", "grey"] as const;
/** Entries with this prefix have it as their tag, which is never purged hard. */
const KEPT: Kept = "kept";
const KEYS = ["a", "b", "c", "d", `${KEPT}:1`, `${KEPT}:2`] as const;
const CALLERS = 3;
const TTL = "1d";

async function play(part: Part): Promise<void> {
  const { name, location, keyPrefix, client, transport, maxStalenessMs, clockMs, seed, file } = part;
  const realNow = Date.now.bind(Date);
  Date.now = () => realNow() + clockMs;
  const random = randomFrom(seed);
  const log = openSync(file, "a");
  const note = (event: Event): void => void writeSync(log, `${JSON.stringify(event)}\n`);
  let errors = 0;
  let ids = 0;
  const timeouts = { commandTimeout: 1, connectTimeout: 1 };
  const cache = createCache({
    location,
    keyPrefix,
    connectionFactory: transport === "glide" ? glide(timeouts) : iovalkey(timeouts),
    client: client === "herd" ? herd({ lease: "300ms", waitTimeout: "1s" }) : defaultClient(),
    ...(maxStalenessMs === undefined ? {} : { nearCache: nearCache({ maxStaleness: maxStalenessMs / 1_000 }) }),
    onError: () => void errors++,
  });
  const newValue = (key: string): Value => ({ id: `${name}-${++ids}`, tags: tagsFor(key, random) });

  const read = async (
    method: Read["method"],
    keys: readonly string[],
    call: () => Promise<ReadonlyMap<string, Value>>,
    loaded: () => string | undefined = () => undefined,
  ): Promise<void> => {
    const before = errors;
    const startMs = nowMs();
    const values = await call();
    const endMs = nowMs();
    for (const key of keys) {
      const found = values.get(key) ?? null;
      if (found || errors === before) note({ what: "read", method, key, found, loaded: loaded(), startMs, endMs });
    }
  };

  const getOrSet = async (key: string): Promise<void> => {
    let loaded: string | undefined;
    const before = errors;
    const callMs = nowMs();
    const takesMs = random() < 0.5 ? 0 : random() * 80;
    const load = async ({ stale }: { readonly stale: Value | undefined }): Promise<Value> => {
      const value = newValue(key);
      loaded = value.id;
      const isMissing = stale === undefined && errors === before;
      note({ what: "load", id: value.id, key, isMissing, startMs: callMs, endMs: nowMs() });
      if (takesMs > 0) await pause(takesMs);
      return value;
    };
    await read(
      "getOrSet",
      [key],
      async () => new Map([[key, await cache.getOrSet<Value>(key, load, { ttl: TTL, tags: ({ tags }) => tags })]]),
      () => loaded,
    );
  };

  const set = async (key: string): Promise<void> => {
    const value = newValue(key);
    const startMs = nowMs();
    const before = errors;
    const isSet = await cache.set(key, value, { ttl: TTL, tags: value.tags });
    if (isSet && errors === before) note({ what: "set", id: value.id, key, startMs, endMs: nowMs() });
  };

  const purge = async (): Promise<void> => {
    const soft = random() < 0.4;
    const tags = soft && random() < 0.3 ? [KEPT] : someTags(random);
    const how = { soft, match: random() < 0.3 ? "all" : "any" } as const;
    const startMs = nowMs();
    const before = errors;
    await cache.purgeTags(tags, how);
    if (errors === before) note({ what: "purge", purge: { tags, ...how }, startMs, endMs: nowMs() });
  };

  const step = (): Promise<void> => {
    const key = pick(random, KEYS);
    const choice = random();
    if (choice < 0.45) {
      return read("get", [key], async () => {
        const value = await cache.get<Value>(key);
        return new Map(value ? [[key, value]] : []);
      });
    }
    if (choice < 0.5) return read("getMany", KEYS, () => cache.getMany<Value>(KEYS));
    if (choice < 0.89) return getOrSet(key);
    return choice < 0.96 ? set(key) : purge();
  };

  const caller = async (): Promise<never> => {
    for (;;) {
      // A store that fails says nothing of tags.
      await step().catch((error: unknown) => {
        if (!(error instanceof CacheError)) throw error;
      });
      await pause(random() < 0.5 ? 0 : random() * 20);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

function tagsFor(key: string, random: Random): readonly string[] {
  return key.startsWith(KEPT) ? [KEPT] : someTags(random);
}

function someTags(random: Random): readonly string[] {
  const first = pick(random, TAGS);
  return random() < 0.5 ? [first] : [...new Set([first, pick(random, TAGS)])];
}

// However the process that has started this one ends, this one ends with it.
process.once("disconnect", () => process.exit());
await play(JSON.parse(process.argv[2] ?? ""));
