import type { Encoded } from "../codec/envelope.js";
import { isTagged } from "../codec/tagged.js";
import { chain, type MaybePromise } from "../core/async.js";
import type { EntryTags } from "../tags/entry-tags.js";
import type { Stamp, Verdict } from "../tags/purge-log.js";
import type { ClientContext } from "./client.js";
import type { Loaded } from "./loading.js";
import { tolerate } from "./refusals.js";

type TagContext = Pick<ClientContext, "tags" | "unordered">;

/** A read of the purge log: the error that it ends with, if there is one. It never rejects. */
export type LogRead = Promise<unknown> | undefined;

/**
 * Reads the purge log beside a read of entries, in the same round trip. Nothing is read while this process has met no tags,
 * or while a near cache knows that the log is unchanged.
 */
export function readLog({ tags, unordered }: TagContext): LogRead {
  return tags.met?.refresh(unordered);
}

/** What knows tags: loaded with the first call that gives some, so that the log is read before its load. */
export async function metTags({ tags }: TagContext): Promise<EntryTags> {
  return tags.met ?? tags.meet();
}

/** An entry that was found, without its tags: absent where one was purged hard, and stale where one was purged softly. */
export function withoutTags<F extends { readonly payload: Encoded; readonly isStale: boolean }>(
  context: TagContext,
  found: F | undefined,
  key: string,
  log: LogRead,
): MaybePromise<F | undefined> {
  if (found === undefined || !isTagged(found.payload)) return found;
  return judged(context, found.payload, key, log).then(({ payload, verdict }) =>
    verdict === "hard" ? undefined : { ...found, payload, isStale: found.isStale || verdict === "soft" },
  );
}

/**
 * Opens the payload of an entry with tags, and says whether they were purged.
 * @param log the read of the log that began with the entry's
 * @throws {DecodeError} @throws {ConnectionError} @throws {ReplyError}
 */
export async function judged(
  context: TagContext,
  payload: Encoded,
  key: string,
  log: LogRead,
): Promise<{ readonly payload: Encoded; readonly verdict: Verdict }> {
  const met = await metTags(context);
  const failed = await (log ?? met.refresh(context.unordered));
  // Nothing is known of the entry then.
  if (failed !== undefined) throw failed;
  const entry = met.open(payload, key);
  return { payload: entry.payload, verdict: await met.verdict(entry, context.unordered) };
}

/** Adds tags to an encoded value that is written now: purges before this don't apply to it. @throws {ConnectionError} @throws {ReplyError} */
export async function tagNow(
  context: TagContext,
  encoded: MaybePromise<Encoded>,
  tags: readonly string[],
): Promise<Encoded> {
  const [one = ""] = await tagAllNow(
    context,
    chain(encoded, (value) => [value]),
    [tags],
  );
  return one;
}

/** As `tagNow`, for several values and the tags of each, in order. */
async function tagAllNow(
  context: TagContext,
  encoded: MaybePromise<readonly Encoded[]>,
  tags: readonly (readonly string[])[],
): Promise<Encoded[]> {
  const [values, { met, stamp }] = await Promise.all([encoded, metNow(context)]);
  return Promise.all(values.map((one, i) => met.attach(one, tags[i] ?? [], stamp)));
}

/** Encodes values that are written now, each with its tags. @throws as `tagNow` @throws {EncodeError} */
export function encodedNow(
  context: TagContext & Pick<ClientContext, "codec">,
  pairs: readonly (readonly [key: string, value: unknown])[],
  tags: ReadonlyMap<string, readonly string[]> | undefined,
): MaybePromise<Encoded[]> {
  const encoded = context.codec.encodeAll(pairs);
  if (!tags) return encoded;
  const ofEach = pairs.map(([key]) => tags.get(key) ?? []);
  return tagAllNow(context, encoded, ofEach);
}

async function metNow(context: TagContext): Promise<{ met: EntryTags; stamp: Stamp | undefined }> {
  const { unordered } = context;
  const met = await metTags(context);
  const failed = await met.refresh(unordered);
  if (failed !== undefined) throw failed;
  return { met, stamp: met.stamp ?? (await met.begin(unordered)) };
}

/** What a loaded value is tagged by. */
type Tagging = Pick<Loaded, "tagsOf" | "stamp">;

/**
 * Adds its tags to a value that was loaded: purges since its load began apply to it. A store error is reported.
 * @returns `undefined` where the value can't be stored with its tags
 * @throws TypeError on wrong tags
 */
export async function tagLoaded(
  context: TagContext & Pick<ClientContext, "report">,
  encoded: Encoded,
  key: string,
  { value, ...tagging }: Tagging & Pick<Loaded, "value">,
): Promise<Encoded | undefined> {
  return (await tagAllLoaded(context, [[key, value]], [encoded], tagging))?.[0];
}

/** As `tagLoaded`, for several values. */
export async function tagAllLoaded(
  context: TagContext & Pick<ClientContext, "report">,
  pairs: readonly (readonly [key: string, value: unknown])[],
  encoded: readonly Encoded[],
  { tagsOf, stamp }: Tagging,
): Promise<readonly Encoded[] | undefined> {
  const tags = pairs.map(([key, value]) => tagsOf?.(value, key) ?? []);
  if (tags.every(({ length }) => length === 0)) return encoded;
  try {
    const met = await metTags(context);
    const since = stamp ?? (await met.begin(context.unordered));
    return await Promise.all(encoded.map((one, i) => met.attach(one, tags[i] ?? [], since)));
  } catch (error) {
    tolerate(context, error, "getOrSet", pairs.length === 1 ? (pairs[0]?.[0] ?? "") : "");
    return undefined;
  }
}
