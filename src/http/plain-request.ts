import type { Cache } from "../cache/cache.js";
import type { MaybePromise } from "../core/async.js";
import { type Answer, PlainHit, templateOf } from "./answer.js";
import type { ObservedRequest } from "./observed.js";
import type { Settings } from "./options.js";
import type { Entry } from "./record.js";
import { ageSeconds } from "./rfc/age.js";
import { NO_DIRECTIVES } from "./rfc/cache-control.js";
import { type Fields, type RequestHead, toFields } from "./rfc/message.js";
import { decide } from "./rfc/select.js";

/** Request fields, besides Connection, that affect whether and how a stored response without Vary answers a GET. */
const SLOW_PATH_FIELDS: ReadonlySet<string> = new Set([
  "cache-control",
  "content-length",
  "cookie",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-unmodified-since",
  "pragma",
  "range",
  "transfer-encoding",
  "upgrade",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
]);
const PLAIN_CONNECTION = /^(?:close|keep-alive)$/i;

/** A request's header fields: `Headers`, or what reads the fields of another server as it does. */
export interface HeaderLines extends Pick<Headers, "get" | "has">, Iterable<[string, string]> {}

/** A request, as far as the cache reads it. */
export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderLines;
}

/**
 * A request of a web server. Its header fields are read when they are first needed, since reading them all costs more than
 * the rest of a hit.
 */
export class ClientRequest implements RequestHead {
  readonly method: string;
  readonly url: string;
  readonly #raw: Pick<RawRequest, "headers">;
  readonly #parsed: Readonly<Record<string, unknown>> | undefined;
  #fields: Fields | undefined;

  /** @param parsed the same header fields, by name in lower case, where the host has them at less cost */
  constructor(raw: RawRequest, parsed?: Readonly<Record<string, unknown>>) {
    this.method = raw.method;
    this.url = raw.url;
    this.#raw = raw;
    this.#parsed = parsed;
  }

  get fields(): Fields {
    this.#fields ??= toFields(this.#raw.headers);
    return this.#fields;
  }

  /** A field's value, with its lines joined. */
  value(name: string): string | undefined {
    return this.#raw.headers.get(name) ?? undefined;
  }

  /** Whether a fresh stored response without Vary answers this request unchanged. */
  get isPlain(): boolean {
    if (this.method !== "GET") return false;
    const parsed = this.#parsed;
    if (parsed) {
      for (const name in parsed) if (SLOW_PATH_FIELDS.has(name)) return false;
      return isPlainConnection(parsed["connection"]);
    }
    const { headers } = this.#raw;
    for (const name of SLOW_PATH_FIELDS) if (headers.has(name)) return false;
    return isPlainConnection(headers.get("connection"));
  }
}

function isPlainConnection(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === "string" && PLAIN_CONNECTION.test(value));
}

/** What a fast hit needs besides the stored response. */
export interface FastPath {
  readonly cache: Cache;
  /** The cache's member of Cache-Status, up to the remaining seconds. */
  readonly prefix: string;
  readonly observed: ObservedRequest | undefined;
}

/**
 * The fast path to a hit: answers a plain request from a response without Vary, as `handle` would.
 * @returns `undefined` where the response can't be served as it is
 * @throws {DecodeError}
 */
export function freshHit(
  entry: Entry,
  { policy, clock, hiddenTagFields }: Settings,
  { cache, prefix, observed }: FastPath,
): MaybePromise<Answer> | undefined {
  const { head, body, invalid } = entry;
  const decision = decide({ stored: head, invalid }, NO_DIRECTIVES, policy, clock.now());
  if (decision.action !== "serve" || decision.why !== "fresh") return undefined;
  observed?.note({ how: "hit", ttlMs: decision.ttlMs });
  const { status } = head;
  const member = prefix + ageSeconds(decision.ttlMs);
  const template = templateOf(entry, hiddenTagFields);
  const hit = (bytes: Uint8Array): Answer => new PlainHit(status, bytes, template, decision.ageMs, member);
  return head.packed ? cache.codec.decompressBytes(body).then(hit) : hit(body);
}
