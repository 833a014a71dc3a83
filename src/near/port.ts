import type { MaybePromise } from "../core/async.js";
import type { Connection } from "../core/connection.js";
import type { Events } from "../core/events.js";
import type { ListenerAccess } from "../core/near.js";
import type { Tags } from "../tags/tags.js";
import type { LoadListening } from "./listening.js";
import type { EntryListClass } from "./store.js";

/** How a near cache hears of changes, and why not by a better way. */
export interface NearHealth {
  /**
   * `"tracking"`: the server sends a notification of every change. `"channel"`: other near caches send notifications of their
   * own writes. `"ttl"`: there are no notifications, and entries stay for `maxStaleness` at most.
   */
  readonly invalidation: "tracking" | "channel" | "ttl";
  /** Whether it hears of changes now. Without it, reads go to the server under `"tracking"`. */
  readonly listening: boolean;
  /** How many entries the process holds. */
  readonly entries: number;
  /** The memory that they take, in bytes. */
  readonly size: number;
  /** Why it doesn't hear of changes, or not by the better way. Absent when nothing is wrong. */
  readonly lastError?: Error;
}

/** What the near cache of one cache works with. */
export interface NearContext {
  /** The text that all keys of the cache begin with; `undefined` where it is not known, as with a key function of the user's own. */
  readonly prefix: string | undefined;
  /** The server, the same for all caches that use it. */
  readonly server: string;
  /** Opens connections that hear of changes; `undefined` where the transport has none, a text that says why where it could have. */
  readonly listener: ListenerAccess | string | undefined;
  readonly events: Events;
  /** @internal Knows whether an entry's tags were purged. */
  readonly tags: Tags;
  /** Reports an error that no caller gets. */
  report(error: unknown): void;
}

/** A near cache in front of the connections of one cache. */
export interface NearCache {
  /** A connection that answers reads from the process where it can, and drops what is written over it. */
  wrap(connection: Connection): Connection;
  health(): NearHealth;
  /**
   * Calls `listener` with the stored key of each change that it hears of: while `health().listening`, of all under the cache's
   * prefix, this process's own writes included, whether or not it holds an entry. @returns a function that ends this
   */
  onKey(listener: (storedKey: string) => void): () => void;
}

/** Makes the near cache of one cache: `nearCache()`. @throws {ConfigurationError} where the host or the transport can't do what was asked for */
export type NearCacheFactory = (context: NearContext) => NearCache;

/** Options with every default in place. */
export interface NearSettings {
  readonly maxSize: number;
  /** 0 for no limit. */
  readonly maxEntries: number;
  readonly ttlMs: number;
  readonly maxStalenessMs: number;
  readonly shares: boolean;
  /** The class of lists of entries, which a cold start need not read. */
  readonly loadList: () => MaybePromise<EntryListClass>;
  /** Loads what listens; absent on hosts where nothing can. */
  readonly load: LoadListening | undefined;
  readonly invalidation: "tracking" | "channel" | "ttl" | undefined;
}
