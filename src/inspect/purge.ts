import type { Cache, Namespace } from "../cache/cache.js";
import { nextTurn } from "../core/async.js";
import { StoredKey } from "../core/key.js";
import { randomText } from "../core/text.js";
import { variantStem } from "../http/keys.js";
import { PURGE, SOFTEN } from "../http/scripts.js";
import { countKeys, SCAN_COUNT, scanSelected } from "./list.js";
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
  readonly selected: Selected;
  readonly isMeant: (row: KeyRow) => boolean;
  readonly tags: readonly string[];
}

/** What a purge would end. Nothing is changed. @throws {ConnectionError} @throws {ReplyError} @throws TypeError on a target that is none */
export async function previewPurge(cache: Cache, target: PurgeTarget, options: WorkOptions): Promise<PurgePreview> {
  const samples: KeyRow[] = [];
  const progress = await walk(cache, target, options, async (rows) => {
    for (const row of rows) if (samples.length < SAMPLES) samples.push(row);
    return rows.length;
  });
  return { ...progress, samples };
}

/**
 * Purges. Tags and namespaces are ended by one write, whatever is stored; with `free`, and for patterns, entries are deleted batch by
 * batch. What was done when the signal fires stays done, and the same purge once more does the rest.
 * @throws {ConnectionError} @throws {ReplyError} @throws TypeError on a target that is none
 */
export async function purge(cache: Cache, target: PurgeTarget, options: PurgeWork): Promise<Progress> {
  const { soft = false, free = false, signal } = options;
  signal?.throwIfAborted();
  if (target.by === "key") return purgeKey(cache, target, options);
  if (target.by === "tag") await cache.purgeTags(target.tags, { soft, match: target.match ?? "any" });
  // No write ends every entry of a prefix, so they can only be deleted.
  const isWhole = target.by === "namespace" && target.namespaces.length === 0 && free && !soft;
  if (target.by === "namespace" && !isWhole) await within(cache, target.namespaces).purge({ soft });
  if (target.by !== "pattern" && (soft || !free)) {
    const progress = { scanned: 0, total: await countKeys(cache), matched: 0, bytes: 0 };
    options.onProgress?.(progress);
    return progress;
  }
  // A load under way must not store its value behind the scan.
  cache.parts.sharing.forgetAll();
  return walk(cache, target, options, (rows) => end(cache, rows, soft));
}

/** Goes through the keys of a target batch by batch. @param work on the rows that are meant; how many of them count */
async function walk(
  cache: Cache,
  target: PurgeTarget,
  { signal, onProgress, scanCount = SCAN_COUNT }: WorkOptions,
  work: (rows: readonly KeyRow[]) => Promise<number>,
): Promise<Progress> {
  signal?.throwIfAborted();
  const { selected, isMeant, tags } = scopeOf(cache, target);
  const verdicts = await Verdicts.open(cache, { tags });
  let progress: Progress = { scanned: 0, total: await countKeys(cache), matched: 0, bytes: 0 };
  const add = async (keys: readonly string[], scanned: number): Promise<void> => {
    const rows = (await readRows(cache, keys, verdicts)).filter((row) => row.kind !== "none" && isMeant(row));
    signal?.throwIfAborted();
    const matched = progress.matched + (await work(rows));
    const bytes = rows.reduce((sum, row) => sum + (row.type === "string" ? row.size : 0), progress.bytes);
    progress = { ...progress, scanned, matched, bytes };
    onProgress?.(progress);
  };
  if (target.by === "key") await add([storedKeyOf(cache, target)], 1);
  else {
    for await (const { keys, scanned } of scanSelected(cache, selected, { scanCount, signal })) {
      await add(keys, scanned);
      // In memory nothing else would run before the end.
      await nextTurn();
    }
  }
  return progress;
}

function scopeOf(cache: Cache, target: PurgeTarget): Scope {
  const all = { isMeant: () => true, tags: [] };
  switch (target.by) {
    case "key":
      return { ...all, selected: { pattern: "", isSelected: () => false } };
    case "pattern":
      return { ...all, selected: selectPattern(cache, target.pattern, target.namespaces) };
    case "namespace":
      // Throws where the pattern would match every key of the database.
      if (target.namespaces.length === 0) cache.parts.keys.all({});
      return { ...all, selected: selectNamespace(cache, target.namespaces) };
    case "tag": {
      const { tags, match = "any" } = target;
      const has = (row: KeyRow) => (tag: string) => row.tags.some((one) => one.tag === tag);
      const isMeant = (row: KeyRow): boolean => (match === "all" ? tags.every(has(row)) : tags.some(has(row)));
      return { selected: select(cache, {}), isMeant, tags };
    }
  }
}

function storedKeyOf(cache: Cache, { key, isStored = false }: PurgeTarget & { readonly by: "key" }): string {
  return String(cache.makeKey(isStored ? new StoredKey(key) : key));
}

/** Deletes entries, or makes them stale. @returns how many there were */
async function end(cache: Cache, rows: readonly KeyRow[], soft: boolean): Promise<number> {
  const { client } = cache.parts;
  const keys = rows.map(({ storedKey }) => storedKey);
  if (keys.length === 0) return 0;
  return soft ? client.expireSoft(keys) : client.delete(keys);
}

async function purgeKey(
  cache: Cache,
  target: PurgeTarget & { readonly by: "key" },
  options: PurgeWork,
): Promise<Progress> {
  const { soft = false } = options;
  return walk(cache, target, options, async (rows) => {
    const [row] = rows;
    if (row === undefined) return 0;
    if (row.kind === "response" || row.kind === "variants" || row.kind === "uncacheable") {
      const args = soft ? [variantStem(row.storedKey), randomText(12)] : [variantStem(row.storedKey)];
      return Number(await cache.connection.script(soft ? SOFTEN : PURGE, [row.storedKey], args));
    }
    return end(cache, rows, soft);
  });
}

function within(cache: Cache, [first, ...others]: readonly string[]): Namespace {
  if (first === undefined)
    throw new TypeError("namespaces: there is none; give the names of a namespace, the outermost first");
  return others.reduce((namespace, name) => namespace.namespace(name), cache.namespace(first));
}
