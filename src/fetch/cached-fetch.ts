import type { Cache } from "../cache/cache.js";
import { ConfigurationError } from "../core/errors.js";
import { type PurgeMethods, purgeMethods } from "../http/adapter.js";
import { HttpCache, type Outcome } from "../http/http-cache.js";
import { httpCacheDefaults } from "../http/options.js";
import { ClientRequest } from "../http/plain-request.js";
import { fieldValue, hasField, toFields } from "../http/rfc/message.js";
import { requestViews, type WaitUntil } from "../http/views.js";
import { type Call, readCall } from "./call.js";
import { CallSignal } from "./call-signal.js";
import { type CachedFetchOptions, type Fetch, readOptions } from "./options.js";
import { FetchHost } from "./origin.js";
import { redirectedCall } from "./redirects.js";
import { fromOutcome } from "./response.js";
import { Selecting } from "./selecting.js";

/** A fetch with a cache, and methods that purge stored responses. */
export interface CachedFetch extends Fetch, PurgeMethods {}

/** The cache and the name of each `cachedFetch`, so that one inside itself is refused. */
const made = new WeakMap<Fetch, { readonly cache: Cache; readonly name: string }>();

/**
 * A `fetch` with a shared HTTP cache (RFC 9111) for the calls that an application makes. Takes what `fetch` takes; the option
 * `cache` of a call means what the Fetch standard says.
 * @example
 * const fetch = cachedFetch({ cache, rules: [{ match: "https://api.example/products/*", ttl: "1m", tags: ["products"] }] });
 * @throws {ConfigurationError} on wrong options
 */
export function cachedFetch(options: CachedFetchOptions): CachedFetch {
  const { own, engine } = readOptions(options);
  const { cache, keyGenerator, waitUntil = () => {}, fetch: send = globalThis.fetch } = own;
  const { cacheName: name = "" } = engine;
  const inner = made.get(send);
  if (inner?.cache === cache && inner.name === name) {
    throw new ConfigurationError(
      `cachedFetch: option "fetch" is a cachedFetch with the same cache and cacheName, which would wait for itself; give one of them another cacheName`,
    );
  }
  // Without it the cache would ignore the modes of the Fetch standard, too.
  const http = new HttpCache({ ...engine, requestDirectives: true });
  const selecting = new Selecting(own.credentialsInKey, engine.requestDirectives);
  const secrets = [...selecting.names, ...(engine.credentialFields ?? [])];
  const { maxBodySize = httpCacheDefaults.maxBodySize } = engine;
  const origin = { send, options: own, selecting, maxBodySize };
  const useView = requestViews();

  const ask = async (call: Call, view: Cache, parts: { waitUntil: WaitUntil; signal: AbortSignal | undefined }) => {
    const { method, url, headers, mode, bypass } = call;
    const key = keyGenerator ? await keyGenerator(new Request(url, { method, headers })) : undefined;
    const request = selecting.isPlain(mode)
      ? new ClientRequest(call)
      : { method, url, fields: selecting.forCache(toFields(headers), mode) };
    const invalidate = (location: string) => {
      const response = { status: 303, fields: [["location", location]] as const };
      return http.purges.invalidate(view, { method, url, fields: [] }, response, key);
    };
    const host = new FetchHost(call, origin, { ...parts, invalidate });
    return { host, outcome: await http.answer({ request, hasBody: false, key, host, bypass, isOwn: true }, view) };
  };

  const follow = async (first: Call, view: Cache, keepRunning: WaitUntil, caller: CallSignal | undefined) => {
    const parts = { waitUntil: keepRunning, signal: caller?.signal };
    for (let call = first; ; ) {
      const { host, outcome } = await ask(call, view, parts);
      if (call.mode === "only-if-cached" && isNotStored(outcome)) {
        throw new TypeError(`cachedFetch: ${call.url} is not stored, and the option cache is "only-if-cached"`);
      }
      const isRead = call.method === "GET" || call.method === "HEAD";
      const next = isRead ? redirectedCall(call, headOf(outcome), secrets) : undefined;
      if (!next) {
        const guard = caller?.guard.bind(caller);
        const isHead = call.method === "HEAD";
        const response = fromOutcome(outcome, { isHead, hidden: http.hiddenTagFields, guard, isRead: true });
        return from(response, host.reached);
      }
      discard(outcome);
      call = next;
    }
  };

  const cached: Fetch = async (input, init) => {
    const call = readCall(input, init);
    if (!call) return send(input, init);
    const { signal } = call;
    signal?.throwIfAborted();
    const caller = signal && new CallSignal(signal);
    const work = useView(cache, waitUntil, (view, keepRunning) => follow(call, view, keepRunning, caller));
    return caller ? caller.race(Promise.resolve(work)) : work;
  };
  const methods: PurgeMethods = purgeMethods("cachedFetch", http, own);
  made.set(cached, { cache, name });
  return Object.assign(cached, methods);
}

function headOf(outcome: Outcome): { readonly status: number; readonly location: string | null | undefined } {
  if ("answer" in outcome) {
    const { answer } = outcome;
    // Most responses are no redirect, and the fields of a hit are listed when they are asked for.
    return { status: answer.status, location: answer.status < 300 ? undefined : fieldValue(answer.fields, "location") };
  }
  const { response } = outcome.forwarded;
  return { status: response.status, location: response.headers.get("location") };
}

/** Only a stored response has an age. */
function isNotStored(outcome: Outcome): boolean {
  return !("answer" in outcome) || (outcome.answer.status === 504 && !hasField(outcome.answer.fields, "age"));
}

/** Gives up the body of a redirect. What is to be stored is read to its end nonetheless. */
function discard(outcome: Outcome): void {
  const body = "answer" in outcome ? outcome.answer.body : outcome.forwarded.response.body;
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
}

/** A response with what fetch says of where it came from, which a constructed one lacks. */
function from(response: Response, reached: { readonly url: string; readonly redirected: boolean }): Response {
  const { url, redirected } = reached;
  return Object.defineProperties(response, {
    url: { value: url },
    redirected: { value: redirected },
    type: { value: "basic" },
    clone: { value: () => from(Response.prototype.clone.call(response), reached) },
  });
}
