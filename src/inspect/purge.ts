import type { Cache } from "../cache/cache.js";
import { nextTurn } from "../core/async.js";
import { StoredKey } from "../core/key.js";
import { newGeneration, variantStem } from "../http/keys.js";
import { PURGE, SOFTEN } from "../http/scripts.js";
import { preparePurge } from "../tags/purge-tags.js";
import { toTags } from "../tags/tags.js";
import { namespaceText } from "./keys.js";
import { countKeys, scanSelected } from "./list.js";
import type { KeyRow, Progress, PurgePreview, PurgeTarget, WorkOptions } from "./port.js";
import { readRows } from "./rows.js";
import { type Selected, select, selectNamespace, selectPattern } from "./select.js";
import { Verdicts } from "./verdicts.js";

/** How many of the keys that match are shown. */
const SAMPLES = 20;

/** Options of `purge`. */
export interface PurgeWork extends WorkOptions {
  /** Makes entries stale instead of ending them. @default false */
  readonly soft?: boolean | undefined;
  /** Deletes entries that a purge of tags or of a namespace ends, to free their memory. @default false */
  readonly free?: boolean | undefined;
}

/** The keys of a target, as far as patterns say them, and which of their rows are meant. */
interface Scope {
  /** The only keys that are meant; absent where a scan finds them. */
  readonly keys: readonly string[] | undefined;
  readonly selected: Selected;
  readonly isMeant: (row: KeyRow) => boolean;
  readonly tags: readonly string[];
  /** Keys to delete when all others are deleted. The list grows with the scan. */
  readonly last: readonly string[];
}

/** What a purge would end. Nothing is changed. @throws {ConnectionError} @throws {ReplyError} @throws TypeError on a target that is none */
export async function previewPurge(
  cache: Cache,
  target: PurgeTarget,
  options: WorkOptions = {},
): Promise<PurgePreview> {
  const samples: KeyRow[] = [];
  const scope = scopeOf(cache, target);
  const progress = await walk(cache, scope, options, async (rows) => {
    samples.push(...rows.slice(0, SAMPLES - samples.length));
  });
  return { ...progress, samples };
}

/**
 * Purges. Tags and namespaces are ended by one write, whatever is stored; with `free`, and for patterns, entries are deleted batch by
 * batch. What was done when the signal fires stays done, and the same purge once more does the rest.
 * @throws {ConnectionError} @throws {ReplyError} @throws TypeError on a target that is none
 */
export async function purge(cache: Cache, target: PurgeTarget, options: PurgeWork = {}): Promise<Progress> {
  const { soft = false, free = false, signal, onProgress } = options;
  signal?.throwIfAborted();
  const scope = scopeOf(cache, target);
  const labelled = labelledBy(cache, target);
  if (target.by === "namespace" && !labelled && (soft || !free)) {
    throw new TypeError(
      "namespaces: there is none, and no write ends every entry; give names, or the option free alone",
    );
  }
  if (labelled) {
    const { tags, match, only } = labelled;
    const send = await preparePurge(tags, { soft, match, only });
    await send(cache.connection, cache);
    if (soft || !free) {
      const progress = { scanned: 0, total: await countKeys(cache), matched: 0, bytes: 0 };
      onProgress?.(progress);
      return progress;
    }
  }
  // A load under way must not store its value behind the scan.
  if (target.by !== "key") cache.parts.sharing.forgetAll();
  // What was loaded since the purge of a tag stays.
  const isMeant = target.by === "tag" ? (row: KeyRow) => row.state === "ended" && scope.isMeant(row) : scope.isMeant;
  const ending = { soft, whole: target.by === "key" };
  const progress = await walk(cache, { ...scope, isMeant }, options, (rows) => end(cache, rows, ending));
  if (scope.last.length > 0) await cache.parts.client.delete(scope.last);
  return progress;
}

interface Labelled {
  readonly tags: readonly string[];
  readonly match: "any" | "all";
  readonly only: "data" | undefined;
}

/** The tags by which a target is ended in one write; `undefined` where its keys have to be found. @throws TypeError */
function labelledBy(cache: Cache, target: PurgeTarget): Labelled | undefined {
  if (target.by === "tag") return { tags: target.tags, match: target.match ?? "any", only: undefined };
  const tag = target.by === "namespace" ? tagOf(cache, target.namespaces) : "";
  return tag === "" ? undefined : { tags: [tag], match: "any", only: "data" };
}

/** The tag of a namespace; empty for all that is outside of any. @throws TypeError on wrong names */
function tagOf({ parts }: Cache, namespaces: readonly string[]): string {
  return parts.settings.namespace + namespaceText(namespaces);
}

/** Every entry under the prefix, and then the purge logs, as `clear` deletes them. @throws {ConfigurationError} where that would be every key of the database */
function wholeScope({ parts }: Cache): Scope {
  const { pattern, isEntry, logs } = parts.keys.all({});
  return { keys: undefined, selected: { pattern, isSelected: isEntry }, isMeant: () => true, tags: [], last: logs };
}

/** Goes through the keys of a target batch by batch. @param work on the rows that are meant */
async function walk(
  cache: Cache,
  { keys: only, selected, isMeant, tags }: Scope,
  { signal, onProgress, scanCount }: WorkOptions,
  work: (rows: readonly KeyRow[]) => Promise<unknown>,
): Promise<Progress> {
  signal?.throwIfAborted();
  const verdicts = await Verdicts.open(cache, { tags });
  let progress: Progress = { scanned: 0, total: await countKeys(cache), matched: 0, bytes: 0 };
  const batches = only ? [{ keys: only, scanned: only.length }] : scanSelected(cache, selected, { scanCount, signal });
  for await (const { keys, scanned } of batches) {
    const rows = (await readRows(cache, keys, verdicts)).filter((row) => row.kind !== "none" && isMeant(row));
    signal?.throwIfAborted();
    if (rows.length > 0) await work(rows);
    const bytes = rows.reduce((sum, row) => sum + (row.type === "string" ? row.size : 0), progress.bytes);
    progress = { ...progress, scanned, matched: progress.matched + rows.length, bytes };
    onProgress?.(progress);
    // In memory nothing else would run before the end.
    await nextTurn();
  }
  return progress;
}

function scopeOf(cache: Cache, target: PurgeTarget): Scope {
  const all = { isMeant: () => true, tags: [], keys: undefined, last: [] };
  switch (target.by) {
    case "key":
      return { ...all, selected: { pattern: "", isSelected: () => false }, keys: [storedKeyOf(cache, target)] };
    case "pattern":
      return { ...all, selected: selectPattern(cache, target.pattern, target.namespaces) };
    case "namespace":
      if (tagOf(cache, target.namespaces) !== "")
        return { ...all, selected: selectNamespace(cache, target.namespaces) };
      return wholeScope(cache);
    case "tag": {
      const { match = "any" } = target;
      const tags = toTags(target.tags, "tags", Infinity);
      const has = (row: KeyRow) => (tag: string) => row.tags.some((one) => one.tag === tag);
      const isMeant = (row: KeyRow): boolean => (match === "all" ? tags.every(has(row)) : tags.some(has(row)));
      return { ...all, selected: select(cache, {}), isMeant, tags };
    }
  }
}

function storedKeyOf(cache: Cache, { key, isStored = false }: PurgeTarget & { readonly by: "key" }): string {
  return String(cache.makeKey(isStored ? new StoredKey(key) : key));
}

/** Deletes entries, or makes them stale. @throws {ConnectionError} @throws {ReplyError} */
async function end({ parts, connection }: Cache, rows: readonly KeyRow[], { soft, whole }: Ending): Promise<void> {
  const isScripted = (row: KeyRow): boolean => HTTP_KINDS.has(row.kind) && (soft || whole);
  const keys = rows.filter((row) => !isScripted(row)).map(({ storedKey }) => storedKey);
  if (keys.length > 0) await (soft ? parts.client.expireSoft(keys) : parts.client.delete(keys));
  const scripts = rows.filter(isScripted).map(({ storedKey }) => {
    const base = whole ? urlKeyOf(storedKey) : storedKey;
    const stem = variantStem(base);
    return soft
      ? connection.script(SOFTEN, [base], [stem, newGeneration()])
      : connection.script(PURGE, [base], [stem], { idempotent: true });
  });
  await Promise.all(scripts);
}

interface Ending {
  readonly soft: boolean;
  /** A response goes with all responses of its URL. */
  readonly whole: boolean;
}

const HTTP_KINDS: ReadonlySet<KeyRow["kind"]> = new Set(["response", "variants", "uncacheable"]);

/** The key of a URL in that of one of its variants: see `variantKey` of http/keys.ts. */
function urlKeyOf(storedKey: string): string {
  return /^(.*\}):[^:]{12}:[^:]{32}$/s.exec(storedKey)?.[1] ?? storedKey;
}
