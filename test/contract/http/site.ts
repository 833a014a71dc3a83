import type { Cache } from "../../../src/cache/cache.js";
import type { Clock } from "../../../src/core/time.js";
import { type Answer, toResponse } from "../../../src/http/answer.js";
import type { Forwarded } from "../../../src/http/host.js";
import { HttpCache } from "../../../src/http/http-cache.js";
import type { HttpCacheOptions } from "../../../src/http/options.js";
import { ClientRequest } from "../../../src/http/plain-request.js";
import type { PurgeOptions } from "../../../src/http/purges.js";
import { type Fields, fieldValue, toFields } from "../../../src/http/rfc/message.js";
import { fields, type Lines, URL_OF_TESTS } from "../../http/rfc/exchanges.js";

export interface Reply {
  readonly lines?: Lines;
  readonly status?: number;
  readonly body?: string | ReadableStream<Uint8Array> | null;
}

type Origin = (asked: Fields) => Reply | Promise<Reply>;

export interface Got {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** Cache-Status without the cache's name. */
  readonly how: string;
}

/** A clock that a test moves. Waiting takes no time of the test's. */
export class MovedClock implements Clock {
  offsetMs = 0;

  now(): number {
    return Date.now() + this.offsetMs;
  }

  random(): number {
    return Math.random();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  pass(seconds: number): void {
    this.offsetMs += seconds * 1_000;
  }
}

/** The cache in front of an origin that answers as a test tells it. */
export class Site {
  readonly clock = new MovedClock();
  /** What the origin was asked, in order. */
  readonly asked: Fields[] = [];
  /** What middleware outside has set on the responses. */
  preset: Fields = [];
  readonly errors: unknown[] = [];
  /** What clients saw of each request: its method, URL and status, and Cache-Status where it has one. */
  readonly seen: string[] = [];
  /** The client's, for requests from now on. */
  signal: AbortSignal | undefined;
  /** What goes on after the answers. */
  readonly background: Promise<void>[] = [];
  readonly http: HttpCache;
  readonly cache: Cache;
  origin: Origin = () => ({});
  readonly #canRefetch: boolean;
  readonly #isServer: boolean;

  /** @param how whether the host can refetch, and whether it hands requests over as web servers do */
  constructor(
    cache: Cache,
    options: HttpCacheOptions = {},
    { canRefetch = true, isServer = false }: { canRefetch?: boolean; isServer?: boolean } = {},
  ) {
    this.cache = cache;
    this.#canRefetch = canRefetch;
    this.#isServer = isServer;
    this.http = new HttpCache({ onError: (error) => this.errors.push(error), ...options }, this.clock);
  }

  /** From now on the origin answers with this. */
  answers(lines: Lines, body: Reply["body"] = "0123456789", status = 200): this {
    this.origin = () => ({ lines, body, status });
    return this;
  }

  /** The whole exchange: the answer read to its end, and all that goes on after it. */
  async get(lines: Lines = {}, method = "GET", url = URL_OF_TESTS): Promise<Got> {
    const got = await this.ask(lines, method, url);
    await this.settled();
    return got;
  }

  /** The answer read to its end. */
  async ask(lines: Lines = {}, method = "GET", url = URL_OF_TESTS): Promise<Got> {
    const response = await this.response(lines, method, url);
    const { status, headers } = response;
    return { status, headers, how: memberOf(response), body: await response.text() };
  }

  async response(lines: Lines = {}, method = "GET", url = URL_OF_TESTS): Promise<Response> {
    const request = this.#isServer
      ? new ClientRequest({ method, url, headers: toHeaders(fields(lines)) })
      : { method, url, fields: fields(lines) };
    const handled = this.http.handle(
      {
        request,
        hasBody: false,
        host: {
          forward: async (asked) => this.#forward((asked ?? request).fields),
          refetch: this.#canRefetch ? async (asked) => this.#forward(asked.fields) : undefined,
          preset: () => this.preset,
          waitUntil: (work) => this.background.push(work),
          signal: () => this.signal,
        },
      },
      this.cache,
    );
    const outcome = await handled.catch((error: unknown) => {
      this.seen.push(`${method} ${url} ${error}`);
      throw error;
    });
    const response =
      "answer" in outcome
        ? this.#toResponse(outcome.answer, method)
        : withStatus(outcome.forwarded, outcome.member ?? "");
    this.seen.push(`${method} ${url} ${response.status} ${memberOf(response)}`);
    return response;
  }

  purge(url = URL_OF_TESTS, options?: PurgeOptions): Promise<number> {
    return this.http.purges.url(this.cache, url, options);
  }

  /** When nothing goes on any more. */
  async settled(): Promise<void> {
    for (let done = 0; done < this.background.length; ) {
      const all = this.background.slice(done);
      done += all.length;
      await Promise.all(all);
    }
    this.background.length = 0;
  }

  async #forward(asked: Fields): Promise<Forwarded> {
    this.asked.push(asked);
    const { lines = {}, status = 200, body = "0123456789" } = await this.origin(asked);
    const content = status === 204 || status === 304 ? null : body;
    const response = new Response(content, { status, headers: toHeaders(fields(lines)) });
    return { response, failed: false, preset: this.preset };
  }

  #toResponse(answer: Answer, method: string): Response {
    return toResponse(answer, method === "HEAD");
  }
}

/** The cache's own member of Cache-Status, without its name. */
function memberOf({ headers }: Response): string {
  return headers.get("cache-status")?.replace(/^(?:.*, )?[\w-]+; /, "") ?? "";
}

function withStatus({ response }: Forwarded, member: string): Response {
  const marked = new Response(response.body, response);
  marked.headers.append("cache-status", member);
  return marked;
}

function toHeaders(lines: Fields): Headers {
  const headers = new Headers();
  for (const [name, value] of lines) headers.append(name, value);
  return headers;
}

/** What the origin was asked last with this name. */
export function askedFor(site: Site, name: string): string | undefined {
  return fieldValue(site.asked.at(-1) ?? toFields([]), name);
}
