import type { RequestHead } from "../exchange.js";
import { type Fields, toFields } from "../fields.js";

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
