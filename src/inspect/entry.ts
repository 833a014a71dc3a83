import type { Cache } from "../cache/cache.js";
import { show } from "../core/errors.js";
import { type Key, StoredKey } from "../core/key.js";
import { systemClock } from "../core/time.js";
import { readSizes } from "./collections.js";
import { envelopeOf, type Form, formOf, leaseOf } from "./form.js";
import { keyParser, type ParsedKey } from "./keys.js";
import type { EntryReport } from "./port.js";
import { type RawEntry, readRaw } from "./read.js";
import { herdOf, kindOf, stateOf, timesOf } from "./state.js";
import { type FoundValue, readValue } from "./value.js";
import { type Judgement, Verdicts } from "./verdicts.js";

/** Options of `inspectEntry`. */
export interface InspectOptions {
  /** How many bytes of a value are read, and how many characters of its text are returned. @default 1 MiB */
  readonly maxBytes?: number | undefined;
  /** Tags that the entry may have: entries store hashes of tags, which these are compared with. @default those that this process remembers */
  readonly tags?: readonly string[] | undefined;
  /** Whether to decode the value. @default true */
  readonly value?: boolean | undefined;
}

const MAX_BYTES = 2 ** 20;
/** What is read of a value that is not wanted: what is before it. */
const HEAD = 65_536;

function toMaxBytes(given: number = MAX_BYTES): number {
  if (Number.isSafeInteger(given) && given > 0) return given;
  throw new TypeError(
    `maxBytes: ${show(given)} is not a number of bytes; give a whole number above 0, such as 1048576`,
  );
}

async function withoutValue(cache: Cache, raw: RawEntry): Promise<FoundValue> {
  const size = (await readSizes(cache, [raw])).get(raw.storedKey);
  return { report: undefined, unreadable: undefined, size };
}

/** All that is known of one entry. */
export interface Inspected {
  readonly raw: RawEntry;
  readonly form: Form;
  readonly key: ParsedKey;
  readonly judgement: Judgement;
  readonly found: FoundValue;
  readonly report: EntryReport;
}

/**
 * What is stored under a key, decoded as far as it can be. One round trip for values, two for collections. What the server
 * refuses to say is left out.
 * @throws {ConnectionError}
 */
export async function inspectEntry(cache: Cache, key: Key, options: InspectOptions = {}): Promise<EntryReport> {
  return (await inspect(cache, key, options)).report;
}

/** As `inspectEntry`, with what the report was made of. @throws {ConnectionError} */
export async function inspect(cache: Cache, key: Key, options: InspectOptions): Promise<Inspected> {
  const { tags, value = true } = options;
  const maxBytes = value ? toMaxBytes(options.maxBytes) : HEAD;
  const storedKey = cache.parts.keys.stored(key, {});
  const parsed = parsedKey(cache, key, storedKey);
  const [raw] = await readRaw(cache, [storedKey], { maxBytes, isDetailed: true });
  if (!raw) throw new TypeError("key: there is none; give one");
  const form = formOf(raw, parsed, cache.parts.settings.codec);
  const verdicts = await Verdicts.open(cache, { tags });
  const [judgement, found] = await Promise.all([
    verdicts.of(form, parsed),
    value ? readValue(cache, { raw, form, key: parsed, maxBytes }) : withoutValue(cache, raw),
  ]);
  const report = toReport(cache, { raw, form, key: parsed, judgement, found });
  return { raw, form, key: parsed, judgement, found, report };
}

/** What is known of a key: also where the cache's key function can't be reversed, as the caller has given the user's key. */
function parsedKey(cache: Cache, key: Key, storedKey: string): ParsedKey {
  const parsed = keyParser(cache)(storedKey);
  if (parsed.of !== "other" || key instanceof StoredKey) return parsed;
  const { version } = cache.parts.settings;
  return { ...parsed, of: "entry", key, version };
}

function toReport(cache: Cache, { raw, form, key, judgement, found }: Omit<Inspected, "report">): EntryReport {
  const herd = herdOf(cache);
  const state = stateOf(form, raw, { herd, verdict: judgement.verdict });
  const isDecoded = (form.is === "plain" || form.is === "value") && (state === "fresh" || state === "stale");
  return {
    storedKey: raw.storedKey,
    key: key.key,
    version: key.version,
    namespaces: key.namespaces,
    kind: kindOf(form, key),
    type: raw.type,
    state: isDecoded && found.unreadable ? "unreadable" : state,
    atMs: raw.atMs,
    ...timesOf(form, raw, herd),
    idleMs: raw.idleMs,
    size: found.size ?? raw.length ?? raw.bytes?.length ?? 0,
    memoryBytes: raw.memoryBytes,
    deltaMs: envelopeOf(form)?.deltaMs ?? 0,
    lease: leaseOf(form, raw),
    tags: judgement.tags,
    value: found.report,
  };
}

/** The report on an entry of a store that can't be reached. */
export function unknownEntry(cache: Cache, key: Key): EntryReport {
  const storedKey = cache.parts.keys.stored(key, {});
  const nowMs = systemClock.now();
  const unknown = { type: "none", leftMs: undefined, length: undefined, bytes: undefined, refusal: undefined };
  const rest = { isWhole: true, atMs: nowMs, nowMs, idleMs: undefined, memoryBytes: undefined };
  const judgement = { verdict: "good", tags: [], error: undefined } as const;
  const found = { report: undefined, unreadable: undefined, size: undefined };
  const parsed = parsedKey(cache, key, storedKey);
  return toReport(cache, {
    raw: { storedKey, ...unknown, ...rest },
    form: { is: "none" },
    key: parsed,
    judgement,
    found,
  });
}
