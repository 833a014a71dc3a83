import type { Cache } from "../cache/cache.js";
import type { Key } from "../core/key.js";
import type {
  EntryReport,
  Finding,
  KeyBatch,
  KeySelection,
  Progress,
  PurgePreview,
  PurgeTarget,
  WhyReport,
  WorkOptions,
} from "../inspect/port.js";

const missing = (what: string): never => {
  throw new TypeError(`${what} is not there yet`);
};

export function inspectEntry(
  _cache: Cache,
  _key: Key,
  _options?: { maxBytes?: number; tags?: readonly string[]; value?: boolean },
): Promise<EntryReport> {
  return missing("inspectEntry");
}
export function explain(_cache: Cache, _key: Key, _options?: { tags?: readonly string[] }): Promise<WhyReport> {
  return missing("explain");
}
export function listKeys(
  _cache: Cache,
  _selection: KeySelection,
  _options?: { scanCount?: number; signal?: AbortSignal },
): AsyncIterable<KeyBatch> {
  return missing("listKeys");
}
export function countKeys(_cache: Cache): Promise<number | undefined> {
  return missing("countKeys");
}
export function previewPurge(_cache: Cache, _target: PurgeTarget, _options: WorkOptions): Promise<PurgePreview> {
  return missing("previewPurge");
}
export function purge(
  _cache: Cache,
  _target: PurgeTarget,
  _options: WorkOptions & { soft?: boolean; free?: boolean },
): Promise<Progress> {
  return missing("purge");
}
export function diagnose(
  _cache: Cache,
  _options?: { onFinding?: (finding: Finding) => void; signal?: AbortSignal },
): Promise<Finding[]> {
  return missing("diagnose");
}
