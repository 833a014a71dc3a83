import { checked } from "./arguments.js";
import type { DeletePatternOptions, ScanOptions } from "./method-options.js";
import type { CacheParts } from "./parts.js";

/** The user's keys that match a glob, one after another. A key may come twice. */
export async function* scanKeys(
  parts: CacheParts,
  method: "keys" | "iterKeys",
  pattern: string,
  options: ScanOptions,
): AsyncIterable<string> {
  const glob = parts.keys.pattern(pattern, checked(method, options));
  const batches = parts.calls.guardEach(method, glob, userKeys(parts, glob, options));
  for await (const keys of batches) for (const key of keys) yield key;
}

async function* userKeys(
  { client, keys, settings, invocation }: CacheParts,
  glob: string,
  options: ScanOptions,
): AsyncIterable<string[]> {
  const isEntry = keys.isEntry(options);
  for await (const batch of client.scan(glob, options.scanCount ?? settings.scanCount)) {
    invocation.signal?.throwIfAborted();
    yield batch.filter(isEntry).map((key) => keys.reverse(key, options));
  }
}

/** `deletePattern`. */
export async function deletePattern(
  parts: CacheParts,
  pattern: string,
  options: DeletePatternOptions,
): Promise<number> {
  const glob = parts.keys.pattern(pattern, checked("deletePattern", options));
  return deleteMatching(parts, "deletePattern", { pattern: glob, isEntry: parts.keys.isEntry(options) }, options);
}

/** `clear`. Purge logs go last: without its log, an entry that was purged hard would be answered as stale. */
export async function clear(parts: CacheParts, options: Omit<DeletePatternOptions, "version">): Promise<number> {
  return deleteMatching(parts, "clear", parts.keys.all(checked("clear", options)), options);
}

interface Matching {
  readonly pattern: string;
  readonly isEntry: (key: string) => boolean;
  readonly logs?: readonly string[];
}

function deleteMatching(
  { client, calls, settings, invocation }: CacheParts,
  method: string,
  { pattern, isEntry, logs: last = [] }: Matching,
  { scanCount, onProgress }: DeletePatternOptions,
): Promise<number> {
  const { signal } = invocation;
  signal?.throwIfAborted();
  const count = scanCount ?? settings.scanCount;
  return calls.guard(method, pattern, 0, () =>
    client.deletePattern(pattern, { count, owns: isEntry, onProgress, signal, last }),
  );
}
