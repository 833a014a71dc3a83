import type { Cache } from "../cache/cache.js";
import { chain, hostImmediate, type MaybePromise, nextTurn } from "../core/async.js";
import { type Clock, systemClock } from "../core/time.js";
import { type Answer, gatewayTimeout, NOT_STORED, type PassedOn } from "./answer.js";
import { handle } from "./handling.js";
import { baseKey, keysStem } from "./keys.js";
import { type Asked, type Exchange, type Located, Locator } from "./locate.js";
import { ObservedRequest } from "./observed.js";
import { type HttpCacheOptions, type Settings, toSettings } from "./options.js";
import { answerFromOrigin } from "./origin-response.js";
import { ClientRequest, freshHit } from "./plain-request.js";
import { Publisher } from "./publish.js";
import { Purges } from "./purges.js";
import type { Entry } from "./record.js";
import { beginClientFetch, type Parts, RequestContext } from "./request-context.js";
import { bypassReason } from "./rfc/admission.js";
import { requestDirectives } from "./rfc/cache-control.js";
import { cacheStatus, type Handling } from "./rfc/cache-status.js";
import { unconditional } from "./rfc/conditional.js";
import { isAnsweredFromStore, isSafe } from "./rfc/invalidation.js";
import { type Fields, type RequestHead, toFields, withoutFields } from "./rfc/message.js";
import { hasPreset, isForOneClient } from "./rfc/preset.js";
import { evaluateStorage } from "./rfc/storable.js";
import { saysTarget } from "./rfc/target.js";
import { narrow, varyNames } from "./rfc/vary.js";
import { rememberKey, States } from "./state.js";
import { type PendingRead, Store } from "./store.js";

/** The cache's answer, or the host's own response. */
export type Outcome = { readonly answer: Answer } | PassedOn;

/** A request to handle. */
interface Call {
  readonly exchange: Exchange;
  readonly cache: Cache;
  /** Absent without listeners. */
  readonly observed: ObservedRequest | undefined;
}

/**
 * A shared HTTP cache in front of any origin (RFC 9111). It holds no connection: each call gets the cache, or the view for
 * one invocation, that it uses.
 */
export class HttpCache {
  /** Response fields with tags that clients don't get, in lower case. */
  readonly hiddenTagFields: readonly string[];
  readonly purges: Purges;
  readonly #settings: Settings;
  readonly #locator: Locator;
  readonly #states: States;
  readonly #parts = new WeakMap<Cache, Parts>();
  readonly #status: (handling: Handling) => string;
  /** The beginning of Cache-Status for a hit, up to the remaining seconds; `undefined` under `debug`. */
  readonly #hitPrefix: string | undefined;

  /** @throws {ConfigurationError} on wrong options */
  constructor(options: HttpCacheOptions = {}, clock: Clock = systemClock) {
    this.#settings = toSettings(options, clock);
    this.hiddenTagFields = this.#settings.hiddenTagFields;
    this.#locator = new Locator(this.#settings);
    this.#states = new States(this.#settings);
    this.purges = new Purges(this.#settings, this.#locator, (cache) => this.#partsOf(cache));
    this.#status = cacheStatus(this.#settings.name);
    this.#hitPrefix = this.#settings.debug ? undefined : this.#status({ how: "hit", ttlMs: 0 }).slice(0, -1);
  }

  /** Identifies the keys that this cache uses in a store. */
  idOf(cache: Cache): string {
    return keysStem(cache, this.#settings.name);
  }

  /** The URL that the client asked for; `undefined` where a trusted proxy says something invalid. */
  askedUrl(asked: Asked): string | undefined {
    return this.#locator.askedUrl(asked);
  }

  /**
   * Answers a request from the store, or lets the host forward it and stores the response where that is allowed. Store
   * errors go to `onError`. @throws the host's error
   */
  async handle(exchange: Exchange, cache: Cache): Promise<Outcome> {
    const outcome = await this.answer(exchange, cache);
    if (!("answer" in outcome) || !(outcome.answer.body instanceof Uint8Array)) return outcome;
    const { answer } = outcome;
    return { answer: { ...answer, fields: answer.fields, body: new Uint8Array(outcome.answer.body) } };
  }

  /** @internal As `handle`, for hosts that change no bytes of the body: other answers may share them. At once where it can. */
  answer(exchange: Exchange, cache: Cache): MaybePromise<Outcome> {
    const { request, hasBody } = exchange;
    const { events } = cache;
    const observed = events.isHeard("http") ? new ObservedRequest(events) : undefined;
    const call = { exchange, cache, observed };
    const isPlain = request instanceof ClientRequest && !hasBody && exchange.bypass === undefined && request.isPlain;
    const outcome = (isPlain ? this.#fastHit(call) : undefined) ?? this.#handle(call);
    if (!observed) return outcome;
    return observed.record(outcome, (result) => ({
      method: request.method,
      url: this.askedUrl(exchange) ?? request.url,
      status: result && ("answer" in result ? result.answer.status : result.forwarded.response.status),
    }));
  }

  /** The fast path to a hit, with as few promises and objects as possible. */
  #fastHit(call: Call): MaybePromise<Outcome> | undefined {
    const { exchange, cache, observed } = call;
    const prefix = this.#hitPrefix;
    const preset = exchange.host.preset();
    // Preset directives are applied to the stored response on the slow path.
    if (prefix === undefined || (preset.length > 0 && hasPreset(preset, this.#settings.policy))) return undefined;
    const { state, store } = this.#parts.get(cache) ?? this.#partsOf(cache);
    const { originalUrl, within, key } = exchange;
    const isUrlAlone = originalUrl === undefined && within === undefined && key === undefined;
    const url = isUrlAlone ? this.#locator.askedUrl(exchange) : undefined;
    const known = url === undefined ? undefined : state.keysOfUrls.get(url);
    const base = known ?? this.#readyKey(exchange, cache);
    if (base === undefined) return undefined;
    const hit = (entry: Entry | undefined): MaybePromise<Outcome> | undefined => {
      const answer = entry && freshHit(entry, this.#settings, { cache, prefix, observed });
      if (answer && known === undefined && url !== undefined) rememberKey(state, url, base);
      return answer && chain(answer, (whole) => ({ answer: whole }));
    };
    const near = hit(store.recall(base));
    // Answered together with all others of this turn, which takes a server with many connections less time for each of them:
    // `npm run bench http-hosts`.
    if (near) return hostImmediate() ? nextTurn().then(() => near) : near;
    const pendingRead = store.beginRead(base);
    return pendingRead?.stored.then(
      (stored) => hit(store.usableEntry(stored, pendingRead)) ?? this.#handle(call, pendingRead),
      () => this.#handle(call, pendingRead),
    );
  }

  /** The stored key of a request, where it can be made without waiting for a hash. */
  #readyKey(exchange: Exchange, cache: Cache): string | undefined {
    const located = this.#locator.locate(exchange);
    const base = located && baseKey(cache, this.#settings.name, located.key);
    return typeof base === "string" ? base : undefined;
  }

  async #handle(call: Call, pendingRead?: PendingRead): Promise<Outcome> {
    const { exchange } = call;
    const { request, hasBody, host } = exchange;
    const { cookies } = this.#settings;
    const bypass = exchange.bypass ?? bypassReason(request, hasBody, { cookies });
    if (bypass) return this.#bypass(call, bypass);
    const preset = host.preset();
    if (isForOneClient(preset, this.#settings.policy)) return this.#bypass(call, "preset");
    const located = this.#locator.locate(exchange);
    if (!located) return this.#bypass(call, "url");
    const kept = narrow(withoutFields(request.fields, this.#settings.unkeyed), this.#settings);
    // Outer middleware has seen these fields unchanged.
    const selecting = varyNames(preset);
    const fields = [
      ...kept.filter(([name]) => !selecting.includes(name)),
      ...request.fields.filter(([name]) => selecting.includes(name)),
    ];
    const context = await this.#context(call, located, selecting.length > 0 ? fields : kept);
    const answer = await handle(context, pendingRead);
    if (this.#settings.awaitBackground) await context.backgroundDone();
    return "forwarded" in answer ? answer : { answer };
  }

  /** Forwards a request that bypasses the cache, and invalidates what it changes. RFC 9111 §4.4. */
  async #bypass(call: Call, reason: string): Promise<Outcome> {
    const { exchange, cache, observed } = call;
    const { host } = exchange;
    const url = this.#locator.askedUrl(exchange) ?? exchange.request.url;
    const request = url === exchange.request.url ? exchange.request : { ...head(exchange.request), url };
    // It accepts only a stored response, and can get none.
    if (isAnsweredFromStore(request.method) && requestDirectives(request.fields).onlyIfCached) {
      observed?.note(NOT_STORED);
      return { answer: gatewayTimeout(this.#status(this.#settings.debug ? NOT_STORED : { how: NOT_STORED.how })) };
    }
    const how = reason === "method" ? "method" : "bypass";
    observed?.note({ how, detail: reason });
    const requestTimeMs = this.#settings.clock.now();
    const forwarded = await host.forward(undefined);
    const detail = this.#settings.debug ? reason : undefined;
    const outcome = { forwarded, member: this.#status({ how, detail }) };
    if (isSafe(request.method)) return outcome;
    const { response: got, preset } = forwarded;
    const response = { status: got.status, fields: toFields(got.headers), preset };
    await this.purges.invalidate(cache, request, response, exchange.key);
    const { clock, policy } = this.#settings;
    const times = { requestTimeMs, responseTimeMs: clock.now() };
    const located = this.#locator.locate(exchange);
    const isStorable =
      located !== undefined &&
      request.method === "POST" &&
      !forwarded.failed &&
      !request.fields.some(([name]) => this.#settings.unkeyed.has(name)) &&
      // The handler saw the target as the client wrote it, in HTTP/2 in `:authority`.
      url === located.target.url &&
      saysTarget(request.fields, located.target) &&
      unconditional(request.fields).length === request.fields.length &&
      evaluateStorage(request, response, times, policy).storable;
    if (!isStorable) return outcome;
    // Claimed after the invalidation, so that the response stored for GET is not older than the change made by the POST.
    const context = await this.#context(call, located, request.fields);
    const lookup = await context.find(true);
    const lease = lookup.kind === "none" || lookup.kind === "uncacheable" ? lookup.lease : undefined;
    const location = lookup.kind === "failed" ? undefined : lookup.location;
    const originFetch = beginClientFetch(context, lease, location);
    // The origin got the client's own signal.
    originFetch.interest.leaveToClient();
    const answer = await answerFromOrigin(context, forwarded, { ...originFetch, requestTimeMs }, { how });
    return "forwarded" in answer ? answer : { answer };
  }

  #context(
    { exchange: { request, host, key: own, isOwn = false }, cache, observed }: Call,
    { key, target, originUrl }: Located,
    fields: Fields,
  ): MaybePromise<RequestContext> {
    const settings = this.#settings;
    const { method, fields: sent } = request;
    const carriesAll = isOwn || own !== undefined;
    const init = { settings, cache, host, target, method, fields, sent, originUrl, carriesAll, key };
    const parts = this.#partsOf(cache);
    return chain(
      baseKey(cache, settings.name, key),
      (base) => new RequestContext({ ...init, parts, base, observed, status: this.#status }),
    );
  }

  #partsOf(cache: Cache): Parts {
    const known = this.#parts.get(cache);
    if (known) return known;
    const state = this.#states.of(cache);
    const store = new Store(cache, state, this.#settings, (work) => cache.invocation.waitUntil(work));
    const parts = { state, store, publisher: new Publisher(cache, state, this.#settings) };
    this.#parts.set(cache, parts);
    return parts;
  }
}

/** Copies a request whose header fields are read lazily. */
function head({ method, url, fields }: RequestHead): RequestHead {
  return { method, url, fields };
}
