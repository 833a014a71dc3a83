import type { Cache } from "../cache/cache.js";
import type { MaybePromise } from "../core/maybe-promise.js";
import type { Answer } from "./answer.js";
import type { Settings } from "./options.js";
import type { Entry } from "./record.js";
import { ageSeconds } from "./rfc/age.js";
import { NO_WISHES } from "./rfc/cache-control.js";
import { type Fields, type RequestHead, toFields } from "./rfc/message.js";
import { decide } from "./rfc/select.js";
import { fieldsFromStore } from "./rfc/stored-response.js";

/** All fields but Connection that have a say in whether, and how, a stored response without Vary answers a GET. */
const TELLING = [
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
const USUAL_CONNECTION = /^(?:close|keep-alive)$/i;

/**
 * A request as a web server hands it over. Its fields are taken when somebody looks at them: to take them costs more than
 * all the rest of a hit, which mostly depends on none.
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

  /** Whether it asks for a response as it is stored, if that is fresh and has no Vary, whatever its other fields are. */
  get isPlain(): boolean {
    if (this.method !== "GET") return false;
    const { headers } = this.#raw;
    for (const name of TELLING) if (headers.has(name)) return false;
    const connection = headers.get("connection");
    return connection === null || USUAL_CONNECTION.test(connection);
  }
}

/**
 * Answers a plain request, which has no say in it (`ClientRequest`), from a response without Vary: as `handle` would, with
 * none of what other requests need. `undefined` where more is to be done than to serve it. @throws {DecodeError}
 * @param prefix of the cache's part of Cache-Status, up to the number of seconds that are left
 */
export function hit(
  { head, body, invalid }: Entry,
  cache: Cache,
  { policy, clock }: Settings,
  prefix: string,
): MaybePromise<Answer> | undefined {
  const decision = decide({ stored: head, invalid }, NO_WISHES, policy, clock.now());
  if (decision.action !== "serve" || decision.why !== "fresh") return undefined;
  const { status } = head;
  const fields = fieldsFromStore(head.fields, decision.ageMs, prefix + ageSeconds(decision.ttlMs));
  if (!head.packed) return { status, fields, body };
  return cache.decompressBytes(body).then((bytes) => ({ status, fields, body: bytes }));
}
