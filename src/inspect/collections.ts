import type { Cache } from "../cache/cache.js";
import type { Command, Reply } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import { rememberedTags } from "../tags/labels.js";
import { LABEL_LENGTH, readTail } from "../tags/records.js";
import { numberIn, type RawEntry } from "./read.js";

/** How many members of a collection are read. */
const PAGE = 100;
/** A cursor is valid on one server only. Atomic commands go to the primary. */
const READ = { readOnly: true, atomic: true } as const;

const SIZES: Readonly<Record<string, string>> = {
  set: "SCARD",
  hash: "HLEN",
  zset: "ZCARD",
  list: "LLEN",
  stream: "XLEN",
};

/** How many members collections have, by key. */
export async function readSizes(
  { connection }: Pick<Cache, "connection">,
  heads: readonly Pick<RawEntry, "type" | "storedKey">[],
): Promise<Map<string, number>> {
  const asked = heads.flatMap(({ type, storedKey }) => {
    const name = SIZES[type];
    return name === undefined ? [] : [{ command: [name, storedKey] as const, storedKey }];
  });
  if (asked.length === 0) return new Map();
  const replies = await connection.send(
    asked.map(({ command }) => command),
    { readOnly: true, primary: true },
  );
  return new Map(asked.map(({ storedKey }, i) => [storedKey, numberIn(replies[i] ?? null) ?? 0]));
}

/** Some members of a collection, or some fields with their values: not decoded. */
export interface Page {
  readonly size: number;
  /** In turn field and value, for a hash. */
  readonly items: readonly Uint8Array[];
  readonly isWhole: boolean;
  readonly refusal: ReplyError | undefined;
}

/** The first page of a set or a hash. @throws {ConnectionError} */
export async function firstPage(
  { connection }: Pick<Cache, "connection">,
  type: "set" | "hash",
  key: string,
): Promise<Page> {
  const scan = type === "set" ? "SSCAN" : "HSCAN";
  const commands: Command[] = [
    [SIZES[type] ?? "", key],
    [scan, key, "0", "COUNT", String(PAGE)],
  ];
  const [size = null, page = null] = await connection.send(commands, READ);
  if (page instanceof ReplyError) return { size: numberIn(size) ?? 0, items: [], isWhole: false, refusal: page };
  const [cursor = null, found = null] = Array.isArray(page) ? page : [];
  const items = bytesIn(found);
  return { size: numberIn(size) ?? items.length, items, isWhole: numberIn(cursor) === 0, refusal: undefined };
}

function bytesIn(reply: Reply): Uint8Array[] {
  const parts: Reply[] = Array.isArray(reply) ? reply.flat() : [];
  return parts.flatMap((part) =>
    part instanceof Uint8Array ? [part] : typeof part === "string" ? [new TextEncoder().encode(part)] : [],
  );
}

/** How many purges of a log are shown. */
const MAX_PURGES = 100;

/** The newest records of a purge log, as plain data. @throws {ConnectionError} */
export async function logContents(
  { connection }: Pick<Cache, "connection">,
  key: string,
): Promise<{ size: number; value: unknown }> {
  const end = ["ZREVRANGEBYSCORE", key, "+inf", "(0", "WITHSCORES", "LIMIT", "0", String(MAX_PURGES + 1)] as const;
  const [size = null, reply = null] = await connection.send([["ZCARD", key], end], { readOnly: true, primary: true });
  if (reply instanceof ReplyError) return { size: numberIn(size) ?? 0, value: undefined };
  const { epoch, purges } = readTail(reply);
  const names = rememberedTags();
  const records = purges.map(([record, number]) => {
    const label = record.slice(0, LABEL_LENGTH);
    const tag = names.get(label);
    const kind = KINDS[record.slice(LABEL_LENGTH)] ?? "unknown";
    // Numbers are the server's time in microseconds, or more.
    return { label, ...(tag === undefined ? {} : { tag }), kind, at: isoOf(number / 1_000) };
  });
  return { size: numberIn(size) ?? 0, value: { epoch: epoch ?? null, newest: records } };
}

function isoOf(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** As tags/records.ts has them. */
const KINDS: Readonly<Record<string, string>> = {
  h: "hard",
  s: "soft",
  d: "hard, data only",
  e: "soft, data only",
  w: "hard, responses only",
  x: "soft, responses only",
};
