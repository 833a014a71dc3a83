import type { Encoded } from "../codec/envelope.js";
import { isTagged, readTagged } from "../codec/tagged.js";
import { chain, type MaybePromise } from "../core/async.js";
import type { Argument, Command, Connection, Reply, Script, SendOptions } from "../core/connection.js";
import type { EntryTags, LogRead, Sent } from "../tags/entry-tags.js";
import type { Stamp, Verdict } from "../tags/purge-log.js";
import type { ClientContext } from "./client.js";
import type { Loaded } from "./loading.js";
import { keepsChanging, tolerate } from "./refusals.js";
import type { Answer } from "./single-flight.js";

type TagContext = Pick<ClientContext, "tags" | "unordered">;

/**
 * Sends reads of entries, with a read of the purge log in the same round trip. The log is not read while this process has met
 * no tags, or while a near cache knows that it is unchanged.
 * @returns the replies, of these commands first
 */
export function sendWithLog(
  { tags, connection }: TagContext & Pick<ClientContext, "connection">,
  commands: readonly Command[],
  options: SendOptions,
): Sent {
  return (
    tags.met?.send(connection, commands, options) ?? { replies: connection.send(commands, options), log: undefined }
  );
}

/** As `sendWithLog`, without commands. */
export function readLog({ tags, connection }: Pick<ClientContext, "tags" | "connection">): LogRead | undefined {
  return tags.met?.refresh(connection);
}

/** Waits for a read of the log, if there is one: a load that begins then is later than all purges that it has seen. */
export function untilRead(log: LogRead | undefined): Promise<void> | undefined {
  return log?.isDone === false ? log.done : undefined;
}

/** An entry that was found, without its tags: absent where one was purged hard, and stale where one was purged softly. */
export function withoutTags<
  F extends { readonly payload: Encoded; readonly stored: Encoded | undefined; readonly isStale: boolean },
>(context: TagContext, found: F | undefined, key: string, log: LogRead | undefined): MaybePromise<F | undefined> {
  if (found === undefined || !isTagged(found.payload)) return found;
  return chain(judged(context, found.payload, key, log), ({ payload, verdict }) =>
    verdict === "hard"
      ? undefined
      : { ...found, payload, stored: found.payload, isStale: found.isStale || verdict === "soft" },
  );
}

/**
 * Whether a caller may have the answer of a call that it has joined: none that was purged before it came.
 * @param log the read of the log that began when it came
 */
export function mayShare(
  context: TagContext & Pick<ClientContext, "report">,
  { stored, found }: Pick<Answer, "stored" | "found">,
  key: string,
  log: LogRead | undefined,
): MaybePromise<boolean> {
  if (stored === undefined || !isTagged(stored)) return true;
  const isGood = ({ verdict }: Judged): boolean => verdict === "good" || (verdict === "soft" && found === "stale");
  return judgedLater(context, stored, key, log).then(isGood, (error: unknown) => {
    tolerate(context, error, "getOrSet", key);
    return false;
  });
}

/** The payload of an entry, and what purges mean for it. */
export interface Judged {
  readonly payload: Encoded;
  readonly verdict: Verdict;
}

/**
 * Opens the payload of an entry with tags, and says whether they were purged.
 * @param log the read of the log that began with the entry's
 * @throws {DecodeError} @throws {ConnectionError} @throws {ReplyError}
 */
export function judged(
  context: TagContext,
  payload: Encoded,
  key: string,
  log: LogRead | undefined,
): MaybePromise<Judged> {
  const { met } = context.tags;
  return met && log?.isDone ? judgedAfter(context, met, log, payload, key) : judgedLater(context, payload, key, log);
}

async function judgedLater(
  context: TagContext,
  payload: Encoded,
  key: string,
  log: LogRead | undefined,
): Promise<Judged> {
  const met = await context.tags.meet();
  const read = log ?? met.refresh(context.unordered);
  await untilRead(read);
  return judgedAfter(context, met, read, payload, key);
}

function judgedAfter(
  context: TagContext,
  met: EntryTags,
  log: LogRead | undefined,
  stored: Encoded,
  key: string,
): MaybePromise<Judged> {
  // Nothing is known of the entry then.
  if (log?.error !== undefined) throw log.error;
  const entry = readTagged(stored, key);
  const { payload } = entry;
  return chain(met.verdict(entry, context.unordered), (verdict) => ({ payload, verdict }));
}

/** How often a script is sent for an entry whose tags other writers replace meanwhile. */
const MAX_TURNS = 16;

/** A script that replies with the tags of an entry, in a list after a number. */
export interface JudgedScript {
  readonly connection: Connection;
  readonly script: Script;
  readonly keys: readonly [entry: string, ...others: string[]];
  /** Its arguments. The tags of the entry, once they were judged, come after them. */
  readonly args: readonly Argument[];
  readonly options?: SendOptions | undefined;
  /** The result, once it is known whether the entry is there; `undefined` to run the script with the entry's tags. */
  readonly decide: (isThere: boolean, reply: Reply) => Reply | undefined;
}

/**
 * Runs a script on an entry that may have been purged.
 * @returns what was decided, or else the script's reply
 * @throws {ConnectionError} @throws {ReplyError} also where other writers keep replacing the entry's tags
 */
export async function runJudged(
  context: TagContext & Pick<ClientContext, "connection">,
  { connection, script, keys, args, options, decide }: JudgedScript,
): Promise<Reply> {
  const [key] = keys;
  let tags: Encoded = "";
  for (let turns = 0; turns < MAX_TURNS; turns++) {
    const sent = connection.script(script, keys, [...args, tags], options);
    const log = readLog(context);
    const reply = await sent;
    if (!Array.isArray(reply)) return reply;
    const [result = null, given] = reply;
    tags = given instanceof Uint8Array ? given : String(given);
    const { verdict } = await judged(context, tags, key, log);
    const decided = decide(verdict === "good", result);
    if (decided !== undefined) return decided;
  }
  throw keepsChanging(key, script.name);
}

/** Adds to encoded values that are written now the tags of each, in order: purges before this don't apply to them. @throws {ConnectionError} @throws {ReplyError} */
async function tagAllNow(
  context: TagContext,
  encoded: MaybePromise<readonly Encoded[]>,
  tags: readonly (readonly string[])[],
): Promise<Encoded[]> {
  const [values, { met, stamp }] = await Promise.all([encoded, metNow(context)]);
  return met.attach(values, tags, stamp);
}

/** Encodes values that are written now, each with its tags. @throws as `tagAllNow` @throws {EncodeError} */
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
  const met = await context.tags.meet();
  const log = met.refresh(unordered);
  await log?.done;
  if (log?.error !== undefined) throw log.error;
  return { met, stamp: met.stamp ?? (await met.begin(unordered)) };
}

/** What a loaded value is tagged by. */
type Tagging = Pick<Loaded, "method" | "tagsOf" | "stamp">;

/**
 * Adds its tags to each value that was loaded: purges since its load began apply to it. A store error is reported.
 * @returns `undefined` where the values can't be stored with their tags
 * @throws TypeError on wrong tags
 */
export async function tagLoaded(
  context: TagContext & Pick<ClientContext, "report">,
  pairs: readonly (readonly [key: string, value: unknown])[],
  encoded: readonly Encoded[],
  { tagsOf, stamp, method }: Tagging,
): Promise<readonly Encoded[] | undefined> {
  const tags = pairs.map(([key, value]) => tagsOf?.(value, key) ?? []);
  if (tags.every(({ length }) => length === 0)) return encoded;
  try {
    const met = await context.tags.meet();
    const since = stamp ?? (await met.begin(context.unordered));
    return await met.attach(encoded, tags, since);
  } catch (error) {
    tolerate(context, error, method, pairs.length === 1 ? (pairs[0]?.[0] ?? "") : "");
    return undefined;
  }
}

/** The tags of a loaded value that is not stored, as `Answer.stored` has them. */
export async function tagsOnly(
  context: TagContext,
  key: string,
  { value, tagsOf, stamp }: Omit<Tagging, "method"> & Pick<Loaded, "value">,
): Promise<Encoded | undefined> {
  if (!tagsOf || value === undefined) return undefined;
  try {
    const [only] = await (await context.tags.meet()).attach([""], [tagsOf(value, key)], stamp);
    return only;
  } catch {
    // A value that is not to be stored need not be one that has tags.
    return undefined;
  }
}
