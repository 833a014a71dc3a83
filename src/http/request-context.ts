import type { Cache } from "../cache/cache.js";
import { notify } from "../core/async.js";
import { type Events, markLoaderError } from "../core/events.js";
import type { Lease } from "../lease/lease.js";
import type { Stamp } from "../tags/purge-log.js";
import { Collapsing } from "./collapsing.js";
import { forwardedValue } from "./forwarded.js";
import type { Forwarded, Host, OriginRequest } from "./host.js";
import { Interest } from "./interest.js";
import { METHOD, type ObservedRequest, report } from "./observed.js";
import type { Settings } from "./options.js";
import type { Publisher } from "./publish.js";
import { type RequestDirectives, requestDirectives } from "./rfc/cache-control.js";
import type { ForwardReason, Handling } from "./rfc/cache-status.js";
import { type Field, type Fields, type RequestHead, type Timing, withField, withoutFields } from "./rfc/message.js";
import { saysTarget, type Target } from "./rfc/target.js";
import { narrow } from "./rfc/vary.js";
import type { State } from "./state.js";
import type { LookupResult, PendingRead, Store, StoreLocation } from "./store.js";

/** The parts that work with one cache. */
export interface Parts {
  readonly state: State;
  readonly store: Store;
  readonly publisher: Publisher;
}

interface ContextInit {
  readonly settings: Settings;
  readonly parts: Parts;
  readonly cache: Cache;
  readonly host: Host;
  readonly method: string;
  /** The fields that select a response: the client's, without those that are kept from the origin unless they select. */
  readonly fields: Fields;
  /** The fields as the client sent them. */
  readonly sent: Fields;
  readonly target: Target;
  readonly originUrl: string;
  readonly carriesAll: boolean;
  readonly key: string;
  readonly base: string;
  readonly observed: ObservedRequest | undefined;
  readonly status: (handling: Handling) => string;
}

/** One request that the cache handles, with everything that its answer depends on. */
export class RequestContext {
  readonly settings: Settings;
  readonly host: Host;
  /** The request as the store sees it. */
  readonly request: RequestHead;
  /** The client's fields, as outer middleware has seen them. */
  readonly sent: Fields;
  /** A background refresh carries all fields: the host has made the key, possibly from any of them, or they are its own. */
  readonly carriesAll: boolean;
  readonly directives: RequestDirectives;
  /** The stored key of its URL. */
  readonly base: string;
  readonly state: State;
  readonly store: Store;
  readonly publisher: Publisher;
  readonly collapsing: Collapsing;
  readonly events: Events;
  readonly #init: ContextInit;
  #pending: Promise<void>[] | undefined;

  constructor(init: ContextInit) {
    this.#init = init;
    this.settings = init.settings;
    this.host = init.host;
    // Range has a meaning for GET alone. RFC 9110 §14.2.
    const fields = init.method === "GET" ? init.fields : withoutFields(init.fields, RANGE);
    this.request = { method: init.method, url: init.target.url, fields };
    this.sent = init.sent;
    this.carriesAll = init.carriesAll;
    this.base = init.base;
    this.state = init.parts.state;
    this.store = init.parts.store;
    this.publisher = init.parts.publisher;
    this.directives = requestDirectives(init.fields);
    this.events = init.cache.events;
    this.collapsing = new Collapsing(init.settings, (durationMs, answered) =>
      this.events.emit("wait", () => ({ method: METHOD, key: init.base, durationMs, answered })),
    );
  }

  /** The cache's member of Cache-Status. */
  status(handling: Handling): string {
    const { status, key, settings, observed } = this.#init;
    observed?.note(handling);
    return status(settings.debug ? { ...handling, key } : { ...handling, detail: undefined });
  }

  /** Looks the response up. Never rejects. @param claims whether to take the lease when there is none */
  async find(claims: boolean, pendingRead?: PendingRead): Promise<LookupResult> {
    const { base, request, store } = this;
    // Requests that wait ask together, which costs one read, or none.
    const isJoining = store.isNear && (this.collapsing.hasWaited || this.state.wakeUps.has(base));
    const when = claims ? (isJoining ? "later" : "now") : "no";
    const lookup = await store.find(base, request, when, pendingRead);
    if (lookup.kind === "none" && lookup.lease) this.claimed(lookup.lease.key, true);
    if (lookup.kind === "busy" && claims) this.claimed(lookup.key, false);
    return lookup;
  }

  /** Emits the event of a claim. */
  claimed(key: string, won: boolean): void {
    // A request that waits claims again with each look.
    if (won || !this.collapsing.hasWaited) this.events.emit("claim", () => ({ method: METHOD, key, won }));
  }

  /** Sends the client's request to the origin, with these fields instead of its own. @throws the host's error */
  async forward(fields: Fields, { interest }: OriginFetch, how: ForwardReason): Promise<Forwarded> {
    this.#init.observed?.note({ how, collapsed: this.collapsing.hasWaited ? false : undefined });
    this.collapsing.end(false);
    return this.#load(() => this.host.forward(this.#request(fields, interest.signal)), false);
  }

  /**
   * Sends a request to the origin that does not belong to a client; `undefined` where the host can't.
   * @param sent the fields that outer middleware gets @throws the host's error
   */
  async refetch(fields: Fields, sent: Fields, { interest, isBackground }: OriginFetch): Promise<Forwarded | undefined> {
    const send = this.host.refetch?.bind(this.host);
    return send && this.#load(() => send(this.#request(fields, interest.signal), sent), isBackground);
  }

  async #load(work: () => Promise<Forwarded>, background: boolean): Promise<Forwarded> {
    const { events, base } = this;
    const origin = { method: METHOD, key: base, count: 1 };
    const startedMs = performance.now();
    let failed = true;
    try {
      const got = await events.begin("load", () => ({ kind: "load", ...origin }))(work);
      failed = got.failed;
      return this.#labelled(got);
    } catch (error) {
      markLoaderError(error);
      throw error;
    } finally {
      const durationMs = performance.now() - startedMs;
      events.emit("load", () => ({ ...origin, durationMs, failed, background }));
    }
  }

  #request(fields: Fields, signal: AbortSignal): OriginRequest {
    const { originUrl, target } = this.#init;
    const { settings } = this;
    let kept = narrow(withoutFields(fields, settings.unkeyed), settings);
    // What is trusted is part of the target, and so of the key.
    for (const name of settings.trust?.names ?? []) kept = withField(kept, name, forwardedValue(name, target));
    return { url: originUrl, fields: withField(kept, "host", target.host), signal };
  }

  /**
   * What the response is stored with besides its own fields. Where Host differs from the target, something before the cache
   * may have routed by it: the response is then stored for requests with the same Host alone.
   */
  #labelled(got: Forwarded): Forwarded {
    const { sent, target } = this.#init;
    const added: Field[] = saysTarget(sent, target) ? [] : [["vary", "host"]];
    try {
      const tags = this.settings.routes.tagsOf(target.url, got.storage);
      if (tags.length > 0) added.push(["cache-tag", tags.join(", ")]);
    } catch (error) {
      // A response without its tags could not be purged by them.
      this.report(error, "tags", this.base);
      added.push(["cache-control", "no-store"]);
    }
    return added.length > 0 ? { ...got, preset: [...(got.preset ?? []), ...added] } : got;
  }

  /** Runs work in the background; its errors go to `onError`. */
  inBackground(work: Promise<unknown>, method: string): Promise<void> {
    const { settings, base, host, state } = this;
    const { cache } = this.#init;
    const done = work
      .then(
        () => {},
        (error: unknown) => this.report(error, method, base),
      )
      .finally(() => {
        if (method === "store" || method === "settle") state.wakeUps.wake(base);
      });
    cache.track(done);
    notify(
      () => host.waitUntil(done),
      (error) => this.report(error, "waitUntil", base),
    );
    // Renewals last as long as the body, which an answer can't wait for.
    if (settings.awaitBackground && method !== "keep") {
      this.#pending ??= [];
      this.#pending.push(done);
    }
    return done;
  }

  /** Resolves when the background work that was begun so far has ended. */
  async backgroundDone(): Promise<void> {
    await Promise.all(this.#pending ?? []);
  }

  /** Calls `onError` with an error that no response shows. @param step what has failed */
  report(error: unknown, step: string, key: string): void {
    report(this.#init.cache, this.settings, error, { step, key });
  }

  /** Decompresses the body of a stored response. @throws {DecodeError} */
  unpack(packed: Uint8Array): Promise<Uint8Array> {
    return this.#init.cache.codec.decompressBytes(packed);
  }
}

const RANGE: ReadonlySet<string> = new Set(["range", "if-range"]);

/** A request to the origin, and what may be done with its response. */
export interface OriginFetch {
  readonly requestTimeMs: number;
  /** The position of the purge log before the request. */
  readonly stamp: Stamp | undefined;
  /** Without a lease nothing is stored. */
  readonly lease: Lease | undefined;
  readonly location: StoreLocation | undefined;
  /** Whether the response is still needed. */
  readonly interest: Interest;
  /** No client waits for it. */
  readonly isBackground: boolean;
}

/** A request for a client. It ends when the client has left and the response is not to be stored. */
export function beginClientFetch(
  context: RequestContext,
  lease: Lease | undefined,
  location: StoreLocation | undefined,
): OriginFetch {
  return { ...beginFetch(context, lease, location, context.host.signal()), isBackground: false };
}

/** A request without a client. It ends after a while. */
export function beginBackgroundFetch(context: RequestContext, lease: Lease, location: StoreLocation): OriginFetch {
  const originFetch = { ...beginFetch(context, lease, location, undefined), isBackground: true };
  void originFetch.interest.endLater();
  return originFetch;
}

function beginFetch(
  context: RequestContext,
  lease: Lease | undefined,
  location: StoreLocation | undefined,
  client: AbortSignal | undefined,
): Omit<OriginFetch, "isBackground"> {
  const { settings, state } = context;
  // Other requests wait no longer than this, so a slower handler must not hold the lease.
  if (lease) void context.inBackground(lease.renew(settings.collapseMs), "renew");
  const giveUp = (): void => {
    if (lease) void context.inBackground(lease.yield(settings.retryAfterMs), "settle");
  };
  const interest = new Interest(client, settings.clock, giveUp);
  // Under an uncacheable mark the response is most likely not stored, so its client decides.
  if (!lease || lease.on === "marker") interest.leaveToClient();
  return { requestTimeMs: settings.clock.now(), stamp: state.log.stamp, lease, location, interest };
}

export function timing({ requestTimeMs }: OriginFetch, { settings }: RequestContext): Timing {
  return { requestTimeMs, responseTimeMs: settings.clock.now() };
}
