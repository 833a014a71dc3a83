/** What is stored under one key, decoded as far as it can be. Plain data for JSON; times are milliseconds since the epoch. */
export interface EntryReport {
  readonly storedKey: string;
  /** The user's key, without prefix, version and namespace; `undefined` where the stored key is not of this cache. */
  readonly key: string | undefined;
  /** The version in the stored key; `undefined` where it has none. */
  readonly version: number | undefined;
  /** The names of the namespaces that the entry is in, the outermost first. */
  readonly namespaces: readonly string[];
  readonly kind: EntryKind;
  /** The type that the server gives it, such as `"string"`, and `"none"` where there is no entry. */
  readonly type: string;
  readonly state: EntryState;
  /** The server's time when this was read. */
  readonly atMs: number;
  /** When its value stops being fresh; `null`: never; `undefined`: it has no time of its own, or no value. */
  readonly freshUntilMs: number | null | undefined;
  /** When a stale value is answered no more; as above. */
  readonly staleUntilMs: number | null | undefined;
  /** When the server deletes the key; `null`: never. */
  readonly expiresMs: number | null | undefined;
  /** When it was stored; only responses of the HTTP cache say so. */
  readonly storedMs: number | undefined;
  /** Time since its last read or write, as the server knows it; `undefined` where it doesn't, or refuses to say. */
  readonly idleMs: number | undefined;
  /** Bytes of the stored value; its members or fields for collections. */
  readonly size: number;
  /** Bytes of memory, with the server's overhead (`MEMORY USAGE`); `undefined` where it refuses to say. */
  readonly memoryBytes: number | undefined;
  /** How long its load took, as `herd()` stores it; 0 where it is not known. */
  readonly deltaMs: number;
  /** The lease on it, or the pause after a failed load (`holder` is `undefined`). */
  readonly lease: { readonly holder: string | undefined; readonly untilMs: number } | undefined;
  readonly tags: readonly TagReport[];
  /** `undefined` where there is no value, or none was asked for. */
  readonly value: ValueReport | undefined;
}

/** What an entry is. */
export type EntryKind =
  /** A value of the data API, with or without an envelope. */
  | "value"
  /** A lease on an entry that has no value yet. */
  | "lease"
  /** A response of the HTTP cache, an index of the variants of a URL, or the mark of a URL whose responses are not stored. */
  | "response"
  | "variants"
  | "uncacheable"
  | "set"
  | "hash"
  | "lock"
  /** The purge log of the cache. */
  | "purge-log"
  /** Nothing of this library. */
  | "foreign"
  | "none";

/**
 * `fresh`: answered. `stale`: answered by `getOrSet` while one caller loads. `ended`: a purge, or the end of its grace, has
 * ended it; it is there and not answered. `loading`: no value yet, a caller holds the lease. `unreadable`: it can't be decoded.
 */
export type EntryState = "fresh" | "stale" | "ended" | "loading" | "unreadable" | "none";

/** A tag of an entry, or a label of a namespace, a group or a path prefix. Entries store hashes. */
export interface TagReport {
  /** The 12 characters that the entry carries. */
  readonly label: string;
  /** The tag, where it is known: this process has used it, or the caller has named it. */
  readonly tag: string | undefined;
  /** What was purged since the entry was loaded. */
  readonly purged: "no" | "soft" | "hard";
}

/** A decoded value. */
export interface ValueReport {
  /** What decoded it, such as `"json"` or `"msgpack with zstd"`, and whether that is the cache's own. */
  readonly codec: string;
  readonly isOwnCodec: boolean;
  /** The value as text for people: JSON with two spaces where it can be, else as `util.inspect` has it. At most `maxBytes`. */
  readonly text: string;
  /** The value itself where JSON can hold it; `undefined` else. */
  readonly json: unknown;
  /** The text was cut, or the value is larger than what was read. */
  readonly isCut: boolean;
  /** Why it can't be decoded. `text` has the bytes then, printable characters as they are. */
  readonly error: string | undefined;
  /** Of a response of the HTTP cache. */
  readonly response: ResponseReport | undefined;
}

export interface ResponseReport {
  readonly url: string;
  readonly status: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly bodySize: number;
}

/** What `getOrSet` would do now, in a process that knows nothing of the key yet. */
export interface WhyReport {
  readonly storedKey: string;
  /**
   * `hit`: answers the stored value. `refresh`: answers it, and one caller loads a new one. `wait`: waits for the lease holder.
   * `load`: calls the loader. `alone`: calls the loader and stores nothing. `fail`: rejects.
   */
  readonly outcome: "hit" | "refresh" | "wait" | "load" | "alone" | "fail";
  /** The same as one sentence, such as "getOrSet would load: the entry's grace ended 12 s ago". */
  readonly summary: string;
  /** What `get` would do. */
  readonly get: "hit" | "miss" | "fail";
  /** The facts that lead to it, in order, each a sentence. */
  readonly reasons: readonly string[];
  /** What to look at or do, each a sentence: such as that the key exists in version 2, or that the server evicts keys. */
  readonly hints: readonly string[];
  readonly entry: EntryReport;
}

/** One row of a list of keys: what is known without reading whole values. */
export type KeyRow = Pick<
  EntryReport,
  | "storedKey"
  | "key"
  | "version"
  | "namespaces"
  | "kind"
  | "type"
  | "state"
  | "freshUntilMs"
  | "staleUntilMs"
  | "expiresMs"
  | "storedMs"
  | "size"
  | "tags"
>;

/** What to list. All parts are joined by "and". */
export interface KeySelection {
  /** A glob of user keys. @default all */
  readonly pattern?: string | undefined;
  /** Names of namespaces, the outermost first: keys in it and in those within it. @default all */
  readonly namespaces?: readonly string[] | undefined;
  /** @default every version */
  readonly version?: number | undefined;
  /** Only entries with this tag. @default all */
  readonly tag?: string | undefined;
}

/** Rows that one step of a scan has found: maybe none. */
export interface KeyBatch {
  readonly rows: readonly KeyRow[];
  /** How many keys the scan has seen so far, those that don't match included. */
  readonly scanned: number;
}

/** What is purged or deleted. */
export type PurgeTarget =
  /** A key: the user's, or a stored one. */
  | { readonly by: "key"; readonly key: string; readonly isStored?: boolean | undefined }
  | { readonly by: "pattern"; readonly pattern: string; readonly namespaces?: readonly string[] | undefined }
  | { readonly by: "tag"; readonly tags: readonly string[]; readonly match?: "any" | "all" | undefined }
  /** Without names: every entry under the prefix, in every version, which only `free` can end. */
  | { readonly by: "namespace"; readonly namespaces: readonly string[] };

/** How far a long work has come, from its beginning. */
export interface Progress {
  /** How many keys were looked at. */
  readonly scanned: number;
  /** How many there are in the database, about; `undefined` where the server doesn't say. */
  readonly total: number | undefined;
  /** How many match, or were deleted. */
  readonly matched: number;
  /** The bytes of their stored values. */
  readonly bytes: number;
}

/** What a purge would end. */
export interface PurgePreview extends Progress {
  /** Some of what matches: up to 20. */
  readonly samples: readonly KeyRow[];
}

/** Options of long works. */
export interface WorkOptions {
  /** Ends the work between two batches, with the signal's reason. What was done stays done, and doing it again is safe. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** How many keys the server looks at for each batch. @default 500 */
  readonly scanCount?: number | undefined;
}

/** One thing that `doctor` has looked at. */
export interface Finding {
  /** A stable name, such as `"eviction"`. */
  readonly check: string;
  readonly level: "ok" | "note" | "warning" | "problem" | "skipped";
  /** What was found, with the figures. */
  readonly found: string;
  /** What that means for the cache. */
  readonly meaning: string;
  /** What to do; empty where nothing is to be done. */
  readonly remedy: string;
}
