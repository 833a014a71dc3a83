import type { Cache } from "../cache/cache.js";
import type { MaybePromise } from "../core/async.js";
import type { Answer } from "./answer.js";
import type { ObservedRequest } from "./observed.js";
import type { Settings } from "./options.js";
import type { Entry } from "./record.js";
import { ageSeconds } from "./rfc/age.js";
import { NO_DIRECTIVES } from "./rfc/cache-control.js";
import { type Fields, type RequestHead, toFields } from "./rfc/message.js";
import { decide } from "./rfc/select.js";
import { fieldsFromStore } from "./rfc/stored-response.js";

/** Request fields, besides Connection, that affect whether and how a stored response without Vary answers a GET. */
const SLOW_PATH_FIELDS = [
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
];
const PLAIN_CONNECTION = /^(?:close|keep-alive)$/i;

/**
 * A request of a web server. Its header fields are read when they are first needed, since reading them all costs more than
 * the rest of a hit.
 */
export class ClientRequest implements RequestHead {
  readonly method: string;
  readonly url: string;
  readonly #raw: Pick<Request, "headers">;
  #fields: Fields | undefined;

  constructor(raw: Pick<Request, "method" | "url" | "headers">) {
    this.method = raw.method;
    this.url = raw.url;
    this.#raw = raw;
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
    const { headers } = this.#raw;
    for (const name of SLOW_PATH_FIELDS) if (headers.has(name)) return false;
    const connection = headers.get("connection");
    return connection === null || PLAIN_CONNECTION.test(connection);
  }
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
  { head, body, invalid }: Entry,
  { policy, clock, hiddenTagFields }: Settings,
  { cache, prefix, observed }: FastPath,
): MaybePromise<Answer> | undefined {
  const decision = decide({ stored: head, invalid }, NO_DIRECTIVES, policy, clock.now());
  if (decision.action !== "serve" || decision.why !== "fresh") return undefined;
  observed?.note({ how: "hit", ttlMs: decision.ttlMs });
  const { status } = head;
  const member = prefix + ageSeconds(decision.ttlMs);
  const fields = fieldsFromStore(head.fields, decision.ageMs, member, hiddenTagFields);
  if (!head.packed) return { status, fields, body };
  return cache.codec.decompressBytes(body).then((bytes) => ({ status, fields, body: bytes }));
}
