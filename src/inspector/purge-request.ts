import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import { show } from "../core/errors.js";
import type { PurgeTarget } from "../inspect/port.js";
import { BadRequest, storedKeyOf } from "./reads.js";

/** The longest body of a request, in bytes. */
const LONGEST_BODY = 65_536;
const LONGEST_TEXT = 8_192;
const MOST_TEXTS = 1_000;

export interface ParsedRequest {
  readonly target: PurgeTarget;
  readonly soft: boolean;
  readonly free: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** The body of a purge or a preview. @throws {BadRequest} */
export async function purgeRequestOf(c: Context, cache: Cache): Promise<ParsedRequest> {
  const body = parse(await textOf(c));
  const target = targetOf(body, cache);
  const known = ["by", "soft", "free", ...FIELDS_OF[target.by]];
  const unknown = Object.keys(body).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new BadRequest(`unknown field ${show(unknown)}; known fields are: ${known.join(", ")}`);
  }
  return { target, soft: flag(body, "soft"), free: flag(body, "free") };
}

const FIELDS_OF: Readonly<Record<PurgeTarget["by"], readonly string[]>> = {
  key: ["key", "isStored"],
  pattern: ["pattern", "namespaces"],
  tag: ["tags", "match"],
  namespace: ["namespaces"],
};

function targetOf(body: Fields, cache: Cache): PurgeTarget {
  switch (body.by) {
    case "key": {
      const key = text(body, "key");
      const isStored = flag(body, "isStored");
      if (isStored) storedKeyOf(cache, key);
      return { by: "key", key, isStored };
    }
    case "pattern":
      return {
        by: "pattern",
        pattern: text(body, "pattern"),
        namespaces: body.namespaces === undefined ? undefined : texts(body, "namespaces"),
      };
    case "tag": {
      const { match = "any" } = body;
      if (match !== "any" && match !== "all") throw wrong("match", match, '"any" or "all"');
      return { by: "tag", tags: texts(body, "tags"), match };
    }
    case "namespace":
      return { by: "namespace", namespaces: texts(body, "namespaces") };
    default:
      throw wrong("by", body.by, Object.keys(FIELDS_OF).map(show).join(" or "));
  }
}

function text(body: Fields, name: string): string {
  const value = body[name];
  if (isText(value)) return value;
  throw wrong(name, value, `a text of 1 to ${LONGEST_TEXT} characters`);
}

function texts(body: Fields, name: string): string[] {
  const values = body[name];
  if (Array.isArray(values) && values.length > 0 && values.length <= MOST_TEXTS && values.every(isText)) return values;
  throw wrong(name, values, `a list of 1 to ${MOST_TEXTS} texts`);
}

function flag(body: Fields, name: string): boolean {
  const { [name]: value = false } = body;
  if (typeof value === "boolean") return value;
  throw wrong(name, value, "true or false");
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= LONGEST_TEXT && value.isWellFormed();
}

function wrong(name: string, value: unknown, allowed: string): BadRequest {
  return new BadRequest(`the field ${name} is ${show(value)}; give ${allowed}`);
}

function parse(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not JSON; give an object such as {"by":"key","key":"user:1"}');
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new BadRequest('the body is not an object; give one such as {"by":"key","key":"user:1"}');
}

/** The body, of which no more is read than is allowed. @throws {BadRequest} */
async function textOf(c: Context): Promise<string> {
  const tooLarge = (): BadRequest =>
    new BadRequest(`the body is larger than ${LONGEST_BODY} bytes; purge in several requests`, 413);
  if (Number(c.req.header("content-length") ?? 0) > LONGEST_BODY) throw tooLarge();
  const { body } = c.req.raw;
  if (!body) return "";
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body as ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > LONGEST_BODY) throw tooLarge();
    parts.push(part);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new BadRequest("the body is not UTF-8; give JSON");
  }
}
