import type { Cache } from "../../cache/cache.js";
import { Seen } from "../../client/seen.js";
import type { Connection } from "../../core/connection.js";
import { logKey } from "./keys.js";
import type { Settings } from "./options.js";
import { PurgeLog } from "./purge-log.js";
import { Reads } from "./reads.js";

/** What this process knows of one store: hints, and the end of its purge log. Plain data, which invocations may share. */
export interface State {
  readonly seen: Seen;
  readonly log: PurgeLog;
  readonly reads: (connection: Connection) => Reads;
}

/** By the key of the purge log, which is made of all that tells two caches apart, as far as one `httpCache` is used with several. */
export class States {
  readonly #settings: Settings;
  readonly #states = new Map<string, State>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  of(cache: Cache): State {
    const key = logKey(cache, this.#settings.name);
    const known = this.#states.get(key);
    if (known) return known;
    const log = new PurgeLog(key, this.#settings.maxPurges);
    const state: State = { seen: new Seen(), log, reads: readsOf(log) };
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
