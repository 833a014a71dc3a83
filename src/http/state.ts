import type { Cache } from "../cache/cache.js";
import { RecentlyFresh } from "../client/single-flight.js";
import type { Connection } from "../core/connection.js";
import { type PurgeLog, purgeLogOf } from "../tags/purge-log.js";
import { WakeUps } from "./collapsing.js";
import { keysStem } from "./keys.js";
import type { Settings } from "./options.js";
import { Reads } from "./reads.js";

/** What this process knows of one store: recently read keys, and the purge log. Plain data that invocations may share. */
export interface State {
  readonly recentlyFresh: RecentlyFresh;
  /** The stored keys of URLs that were read as fresh, so that a hit does not make its key again. */
  readonly keysOfUrls: Map<string, string>;
  /** Stored keys of URLs whose background refresh did not reach the origin, so they are validated in the foreground. */
  readonly unreached: Set<string>;
  readonly wakeUps: WakeUps;
  readonly log: PurgeLog;
  readonly reads: (connection: Connection) => Reads;
}

/** The most URLs whose stored keys are remembered. Each URL and each key has at most about 200 characters. */
const MAX_URLS = 1_000;

/** Remembers the stored key of a URL. When there are too many, the URL that was added longest ago is evicted. */
export function rememberKey({ keysOfUrls }: State, url: string, base: string): void {
  if (keysOfUrls.size >= MAX_URLS) for (const oldest of keysOfUrls.keys()) if (keysOfUrls.delete(oldest)) break;
  keysOfUrls.set(url, base);
}

/** Remembers that a background refresh did not reach the origin. */
export function rememberUnreached({ unreached }: State, base: string): void {
  if (unreached.size >= MAX_URLS) for (const oldest of unreached) if (unreached.delete(oldest)) break;
  unreached.add(base);
}

/** States by what stored keys begin with, which differs between any two caches that one `httpCache` is used with. */
export class States {
  readonly #settings: Settings;
  readonly #states = new Map<string, State>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  of(cache: Cache): State {
    const key = keysStem(cache, this.#settings.name);
    const known = this.#states.get(key);
    if (known) return known;
    const log = purgeLogOf(cache.purges);
    const recentlyFresh = new RecentlyFresh();
    const state: State = {
      recentlyFresh,
      keysOfUrls: new Map(),
      unreached: new Set(),
      wakeUps: new WakeUps(),
      log,
      reads: readsOf(log),
    };
    this.#states.set(key, state);
    return state;
  }
}

function readsOf(log: PurgeLog): State["reads"] {
  const all = new WeakMap<Connection, Reads>();
  return (connection) => {
    const known = all.get(connection) ?? new Reads(connection, log);
    all.set(connection, known);
    return known;
  };
}
