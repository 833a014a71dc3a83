import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import type { Place } from "../cache/settings.js";
import { DefaultClient } from "../client/default-client.js";
import { HerdClient } from "../client/herd/client.js";
import { LIBRARY } from "../connection/client-info.js";
import { show } from "../core/errors.js";
import { compileGlob, escapeGlob } from "../core/glob.js";
import { makePattern, StoredKey } from "../core/key.js";
import { diagnose } from "../inspect/doctor.js";
import { inspectEntry } from "../inspect/entry.js";
import { membershipOf } from "../inspect/fleet.js";
import { countKeys, listKeys } from "../inspect/list.js";
import type { KeySelection } from "../inspect/port.js";
import { explain } from "../inspect/why.js";
import type { EntryAnswer, HealthAnswer, Info, KeysLine } from "./api.js";
import { json, lines, toLine } from "./json.js";
import { issueToken } from "./security.js";

/** What is wrong with a request, as one sentence. */
export class BadRequest extends Error {
  readonly status: 400 | 413;

  constructor(message: string, status: 400 | 413 = 400) {
    super(message);
    this.status = status;
  }
}

export async function info(c: Context, cache: Cache, mayChange: boolean): Promise<Response> {
  const { settings, client } = cache.parts;
  const { serializer, compressor } = settings.codecOptions;
  const answer: Info = {
    library: LIBRARY.version,
    prefix: settings.prefix,
    version: settings.version,
    server: serverOf(settings.place),
    client: client instanceof HerdClient ? "herd" : client instanceof DefaultClient ? "default" : "other",
    codec: compressor.name === "identity" ? serializer.name : `${serializer.name} with ${compressor.name}`,
    hasNearCache: settings.near !== undefined,
    mayChange,
    token: mayChange ? await issueToken(c) : undefined,
    processId: membershipOf(cache, "inspector").id,
  };
  return json(c, answer);
}

/** Without a username and a password. */
function serverOf({ scheme, addresses, database, display }: Place): string {
  if (scheme === "memory") return "memory";
  const hosts = addresses.map(({ host, port }) => `${host}:${port}`);
  return hosts.length === 0 ? display : `${hosts.join(", ")}/${database}`;
}

export async function entry(c: Context, cache: Cache): Promise<Response> {
  const text = c.req.query("key");
  if (text === undefined || text === "") throw new BadRequest("the parameter key is missing; give a stored key");
  const key = storedKeyOf(cache, text);
  const tags = c.req.queries("tag");
  const [inspected, why] = await Promise.all([inspectEntry(cache, key, { tags }), explain(cache, key, { tags })]);
  const answer: EntryAnswer = { entry: inspected, why };
  return json(c, answer);
}

/** Only keys of the cache: a database may have those of other programs. @throws {BadRequest} */
export function storedKeyOf(cache: Cache, text: string): StoredKey {
  const { keyFunction, prefix, namespace } = cache.parts.settings;
  const isOwn = compileGlob(makePattern(keyFunction, `${escapeGlob(namespace)}*`, prefix, "*"));
  if (text.isWellFormed() && isOwn(text)) return new StoredKey(text);
  throw new BadRequest(`${show(text)} is no stored key of this cache; give one that begins as api/keys has them`);
}

export async function health(c: Context, cache: Cache): Promise<Response> {
  const answer: HealthAnswer = await diagnose(cache, { signal: c.req.raw.signal });
  return json(c, answer);
}

/** The longest time for which a list of keys stays open, however slowly its client reads. */
const LONGEST_LIST_MS = 15 * 60_000;
const LONGEST_TEXT = 1_024;

/** Keys as lines, of which the next batch is read from the server when the client has read the last one. */
export async function keys(c: Context, cache: Cache): Promise<Response> {
  const selection = selectionOf(c);
  const limit = wholeNumber(c, "limit") ?? Number.POSITIVE_INFINITY;
  const ended = new AbortController();
  const total = await countKeys(cache);
  const batches = listKeys(cache, selection, { signal: ended.signal })[Symbol.asyncIterator]();
  // The first batch is read before the response begins: wrong patterns and store errors have a status of their own.
  let next: ReturnType<typeof batches.next> | undefined = Promise.resolve(await batches.next());
  const timer = setTimeout(
    () => ended.abort(new Error("the list was open for too long; begin again")),
    LONGEST_LIST_MS,
  );
  let scanned = 0;
  let sent = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const send = (line: KeysLine): void => controller.enqueue(toLine(line));
        try {
          const step = await (next ?? batches.next());
          next = undefined;
          if (step.done) send({ done: true, scanned });
          else {
            scanned = step.value.scanned;
            sent += step.value.rows.length;
            send({ ...step.value, total });
            if (sent < limit) return;
            send({ more: true, scanned });
            batches.return?.().catch(() => {});
          }
        } catch (error) {
          send({ error: messageOf(error) });
        }
        clearTimeout(timer);
        controller.close();
      },
      cancel: () => {
        clearTimeout(timer);
        ended.abort(new Error("the client has left"));
        batches.return?.().catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  return lines(c, body);
}

/** @throws {BadRequest} */
function selectionOf(c: Context): KeySelection {
  const text = (name: string): string | undefined => {
    const value = c.req.query(name);
    if (value === undefined || value === "") return undefined;
    if (value.length <= LONGEST_TEXT && value.isWellFormed()) return value;
    throw new BadRequest(`the parameter ${name} is too long; give at most ${LONGEST_TEXT} characters`);
  };
  const namespaces = (c.req.queries("ns") ?? []).filter((name) => name !== "");
  if (namespaces.join("").length > LONGEST_TEXT) {
    throw new BadRequest(`the parameters ns are too long; give at most ${LONGEST_TEXT} characters`);
  }
  return {
    pattern: text("pattern"),
    namespaces: namespaces.length > 0 ? namespaces : undefined,
    version: wholeNumber(c, "version"),
    tag: text("tag"),
  };
}

/** @throws {BadRequest} */
function wholeNumber(c: Context, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined || text === "") return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new BadRequest(`the parameter ${name} is ${show(text)}; give a whole number`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
