import type { Cache } from "../cache/cache.js";
import { show } from "../core/errors.js";
import type { KeyBatch, KeyRow, KeySelection } from "./port.js";
import { numberIn } from "./read.js";
import { readRows } from "./rows.js";
import { type Selected, select } from "./select.js";
import { Verdicts } from "./verdicts.js";

/** Options of `listKeys`. */
export interface ListOptions {
  /** How many keys the server looks at for each batch, 1 to 10,000. @default 500 */
  readonly scanCount?: number | undefined;
  /** Ends the list, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const SCAN_COUNT = 500;
/** More at once would hold the server up for other clients. */
const MAX_SCAN_COUNT = 10_000;

function toScanCount(given: number = SCAN_COUNT): number {
  if (Number.isSafeInteger(given) && given >= 1 && given <= MAX_SCAN_COUNT) return given;
  throw new TypeError(
    `scanCount: ${show(given)} is not a number of keys; give a whole number from 1 to ${MAX_SCAN_COUNT}`,
  );
}

/**
 * The keys of a cache, by steps of SCAN, each with what its first bytes say. A key may come twice. The server is asked for the next
 * step when the caller wants it, so a list that is left early costs no more. Reading counts as a use of each key, as any read
 * does, where the server evicts those that were not used for the longest time.
 * @throws {ConnectionError} @throws {ReplyError} @throws TypeError on a selection that is none
 */
export async function* listKeys(
  cache: Cache,
  selection: KeySelection,
  { scanCount, signal }: ListOptions = {},
): AsyncIterable<KeyBatch> {
  const selected = select(cache, selection);
  const verdicts = await Verdicts.open(cache, {
    tags: selection.tag === undefined ? [] : [selection.tag],
    namespaces: selection.namespaces,
  });
  for await (const { keys, scanned } of scanSelected(cache, selected, { scanCount, signal })) {
    const rows = await readRows(cache, keys, verdicts);
    signal?.throwIfAborted();
    yield { rows: rows.filter((row) => isListed(row, selection)), scanned };
  }
}

/** Selected keys by steps of SCAN, with about how many the scan has seen: servers don't say that. */
export async function* scanSelected(
  cache: Cache,
  { pattern, isSelected }: Selected,
  { scanCount, signal }: ListOptions,
): AsyncIterable<{ readonly keys: string[]; readonly scanned: number }> {
  signal?.throwIfAborted();
  const count = toScanCount(scanCount);
  let scanned = 0;
  const total = (await countKeys(cache)) ?? Infinity;
  for await (const found of cache.connection.scan({ match: pattern, count })) {
    signal?.throwIfAborted();
    scanned = Math.min(total, scanned + count);
    yield { keys: found.filter(isSelected), scanned };
    signal?.throwIfAborted();
  }
}

function isListed(row: KeyRow, { tag }: KeySelection): boolean {
  // It was deleted since the scan has seen it.
  if (row.kind === "none") return false;
  return tag === undefined || row.tags.some((one) => one.tag === tag);
}

/** How many keys there are in the database, of all primaries of a cluster; `undefined` where the server doesn't say. @throws {ConnectionError} */
export async function countKeys({ connection }: Pick<Cache, "connection">): Promise<number | undefined> {
  const [reply = null] = await connection.send([["DBSIZE"]], { readOnly: true, primary: true });
  return numberIn(reply);
}
