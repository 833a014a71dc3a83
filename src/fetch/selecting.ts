import { joinParts } from "../core/text.js";
import { type Fields, fieldValue, hasField, withField, withoutFields } from "../http/rfc/message.js";
import type { CacheMode } from "./call.js";

/**
 * Stands for the credentials in what selects a stored response: all responses vary by it, so a purge of their URL finds all
 * of them. The store keeps a hash of it, and neither the origin nor the caller sees it.
 */
export const CREDENTIALS = "valkey-edge-cache-credentials";

/** What each mode asks of the cache. https://fetch.spec.whatwg.org/#concept-request-cache-mode */
const DIRECTIVES: Readonly<Record<CacheMode, string | undefined>> = {
  default: undefined,
  "no-store": undefined,
  reload: "no-cache",
  "no-cache": "no-cache",
  "force-cache": "max-stale",
  "only-if-cached": "only-if-cached, max-stale",
};

/** What each mode asks of caches on the way to the origin. https://fetch.spec.whatwg.org/#http-network-or-cache-fetch */
const SENT: Partial<Record<CacheMode, Fields>> = {
  reload: [
    ["pragma", "no-cache"],
    ["cache-control", "no-cache"],
  ],
  "no-cache": [["cache-control", "max-age=0"]],
};

const OF_CALLERS = ["cache-control", "host", "pragma"];

/** Which fields of a call the cache sees, and which ones the origin. */
export class Selecting {
  /** Names of fields with credentials that are part of the key, in lower case. */
  readonly names: readonly string[];
  readonly #requestDirectives: boolean;
  readonly #restored: readonly string[];
  readonly #left: ReadonlySet<string>;

  constructor(names: readonly string[] = [], requestDirectives = true) {
    this.names = names.map((name) => name.toLowerCase());
    this.#requestDirectives = requestDirectives;
    this.#restored = [...OF_CALLERS, ...this.names];
    this.#left = new Set([...this.#restored, CREDENTIALS]);
  }

  /** Whether the cache sees a call as it is. */
  isPlain(mode: CacheMode): boolean {
    return this.names.length === 0 && this.#requestDirectives && DIRECTIVES[mode] === undefined;
  }

  /** The fields that the cache sees. */
  forCache(fields: Fields, mode: CacheMode): Fields {
    const left = [...this.names, CREDENTIALS, ...(this.#requestDirectives ? [] : ["cache-control", "pragma"])];
    let seen = withoutFields(fields, new Set(left));
    const asked = [fieldValue(seen, "cache-control"), DIRECTIVES[mode]].filter((value) => value !== undefined);
    if (asked.length > 0) seen = withField(seen, "cache-control", asked.join(", "));
    const credentials = this.names.flatMap((name) => {
      const value = fieldValue(fields, name);
      return value === undefined ? [] : [name, value];
    });
    // Encoded, as white space around a comma would not tell two values apart.
    return credentials.length > 0 ? [...seen, [CREDENTIALS, encodeURIComponent(joinParts(credentials))]] : seen;
  }

  /** What all responses vary by. */
  get preset(): Fields {
    return this.names.length > 0 ? [["vary", CREDENTIALS]] : [];
  }

  /** The fields that the origin sees. @param fields as the cache would send them @param given by the caller */
  forOrigin(fields: Fields, given: Fields, mode: CacheMode): Fields {
    const kept = withoutFields(fields, this.#left);
    const restored = given.filter(([name]) => this.#restored.includes(name));
    const sent = [...kept, ...restored];
    return [...sent, ...(SENT[mode] ?? []).filter(([name]) => !hasField(sent, name))];
  }
}
