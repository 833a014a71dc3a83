import type { Cache } from "../cache/cache.js";
import { readSizes } from "./collections.js";
import { formOf, headLength } from "./form.js";
import { keyParser } from "./keys.js";
import type { KeyRow } from "./port.js";
import { type RawEntry, readRaw } from "./read.js";
import { herdOf, kindOf, stateOf, timesOf } from "./state.js";
import type { Verdicts } from "./verdicts.js";

/** Bytes of each value that are read: an envelope with 35 tags. */
const HEAD = 512;
/** More than most heads have. */
const LONG_HEAD = 65_536;

/**
 * One row for each key. One round trip, a second one where some keys have long heads or are collections.
 * @throws {ConnectionError}
 */
export async function readRows(cache: Cache, keys: readonly string[], verdicts: Verdicts): Promise<KeyRow[]> {
  const { codec } = cache.parts.settings;
  const parse = keyParser(cache);
  const herd = herdOf(cache);
  const heads = await withLongHeads(cache, await readRaw(cache, keys, { maxBytes: HEAD }));
  const sizes = await readSizes(cache, heads);
  const formed = heads.map((raw) => {
    const key = parse(raw.storedKey);
    return { raw, key, form: formOf(raw, key, codec) };
  });
  await verdicts.prepare(formed.map(({ form }) => form));
  const rows = formed.map(async ({ raw, key, form }): Promise<KeyRow> => {
    const { verdict, tags } = await verdicts.of(form, key);
    const { storedKey, type, length, bytes } = raw;
    return {
      storedKey,
      key: key.key,
      version: key.version,
      namespaces: key.namespaces,
      kind: kindOf(form, key),
      type,
      state: stateOf(form, raw, { herd, verdict }),
      ...timesOf(form, raw, herd),
      size: sizes.get(storedKey) ?? length ?? bytes?.length ?? 0,
      tags,
    };
  });
  return Promise.all(rows);
}

async function withLongHeads(cache: Cache, heads: readonly RawEntry[]): Promise<readonly RawEntry[]> {
  const isLong = ({ bytes, isWhole }: RawEntry): boolean =>
    bytes !== undefined && !isWhole && bytes[0] === 0x11 && headLength(bytes) > bytes.length;
  const long = heads.filter(isLong).map(({ storedKey }) => storedKey);
  if (long.length === 0) return heads;
  const read = await readRaw(cache, long, { maxBytes: LONG_HEAD });
  const byKey = new Map(read.map((raw) => [raw.storedKey, raw]));
  return heads.map((raw) => byKey.get(raw.storedKey) ?? raw);
}
