import type { Cache } from "../cache/cache.js";
import { notify } from "../core/maybe-promise.js";
import type { Forwarded, Host, OriginRequest } from "./host.js";
import { Interest } from "./interest.js";
import type { Lease } from "./lease.js";
import type { Settings } from "./options.js";
import type { Publisher } from "./publish.js";
import type { Stamp } from "./purge-log.js";
import { UNKEYED_FIELDS } from "./rfc/admission.js";
import { type RequestDirectives, requestDirectives } from "./rfc/cache-control.js";
import type { Handling } from "./rfc/cache-status.js";
import { type Fields, type RequestHead, type Timing, withField, withoutFields } from "./rfc/message.js";
import { saysTarget, type Target } from "./rfc/target.js";
import { narrow } from "./rfc/vary.js";
import type { Place, State, Store } from "./store.js";

/** What works with one cache. */
export interface Parts {
  readonly state: State;
  readonly store: Store;
  readonly publisher: Publisher;
}

interface Given {
  readonly settings: Settings;
  readonly parts: Parts;
  readonly cache: Cache;
  readonly host: Host;
  readonly method: string;
  /** As the store sees them: the client's own, but those that are kept from the origin and select nothing. */
  readonly fields: Fields;
  /** As the client sent them. */
  readonly sent: Fields;
  readonly target: Target;
  readonly originUrl: string;
  readonly hasOwnKey: boolean;
  readonly key: string;
  readonly base: string;
  readonly status: (handling: Handling) => string;
}

/** One request that the cache handles, and all that its answer depends on. */
export class Inquiry {
  readonly settings: Settings;
  readonly host: Host;
  /** The request as the store sees it; `request` gives it as the origin does. */
  readonly asked: RequestHead;
  /** The client's fields, as what comes before the cache has seen them. */
  readonly sent: Fields;
  /** Its key is the host's own, and may be made of any of its fields. */
  readonly hasOwnKey: boolean;
  readonly wishes: RequestDirectives;
  /** The made key of its URL. */
  readonly base: string;
  readonly state: State;
  readonly store: Store;
  readonly publisher: Publisher;
  readonly #given: Given;
  #pending: Promise<void>[] | undefined;

  constructor(given: Given) {
    this.#given = given;
    this.settings = given.settings;
    this.host = given.host;
    this.asked = { method: given.method, url: given.target.url, fields: given.fields };
    this.sent = given.sent;
    this.hasOwnKey = given.hasOwnKey;
    this.base = given.base;
    this.state = given.parts.state;
    this.store = given.parts.store;
    this.publisher = given.parts.publisher;
    this.wishes = requestDirectives(given.fields);
  }

  /** Writes the cache's part of Cache-Status. */
  status(handling: Handling): string {
    const { status, key, settings } = this.#given;
    return status(settings.debug ? { ...handling, key } : { ...handling, detail: undefined });
  }

  /** Has the origin answer the client's request, with `fields` in the place of its own. @throws what the host throws */
  async forward(fields: Fields, { signal }: Interest): Promise<Forwarded> {
    return this.#selected(await this.host.forward(this.#request(fields, signal)));
  }

  /**
   * Has the origin answer a request that is no client's; `undefined` where the host can't.
   * @param sent the fields that what comes before the cache sees @throws what the host throws
   */
  async again(fields: Fields, sent: Fields, { signal }: Interest): Promise<Forwarded | undefined> {
    const got = await this.host.again?.(this.#request(fields, signal), sent);
    return got && this.#selected(got);
  }

  #request(fields: Fields, signal: AbortSignal): OriginRequest {
    const { originUrl, target } = this.#given;
    const kept = narrow(withoutFields(fields, UNKEYED_FIELDS), this.settings);
    return { url: originUrl, fields: withField(kept, "host", target.host), signal };
  }

  /**
   * Who has routed by a Host that is not the target's, outside of the cache, may have chosen another response: it is for
   * those alone who send the same Host.
   */
  #selected(got: Forwarded): Forwarded {
    const { sent, target } = this.#given;
    if (saysTarget(sent, target)) return got;
    return { ...got, preset: [...(got.preset ?? []), ["vary", "host"]] };
  }

  /** Lets work go on after the answer; its failures are told to `onError`. */
  inBackground(work: Promise<unknown>, method: string): Promise<void> {
    const { settings, base, host } = this;
    const done = work.then(
      () => {},
      (error: unknown) => settings.onError(error, { method, key: base }),
    );
    notify(
      () => host.waitUntil(done),
      (error) => settings.onError(error, { method: "waitUntil", key: base }),
    );
    // A lease is kept for as long as the body takes, which an answer can't wait for.
    if (settings.wait && method !== "keep") {
      this.#pending ??= [];
      this.#pending.push(done);
    }
    return done;
  }

  /** Resolves when the work that has been let go on so far has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending ?? []);
  }

  /** The body of a stored response, ready to be sent. @throws {DecodeError} */
  unpack(packed: Uint8Array): Promise<Uint8Array> {
    return this.#given.cache.decompressBytes(packed);
  }
}

/** A question to the origin: what may be done with its answer. */
export interface Question {
  readonly requestTimeMs: number;
  /** What was known of purges when it was asked. */
  readonly stamp: Stamp | undefined;
  /** Without one, nothing is stored. */
  readonly lease: Lease | undefined;
  readonly place: Place | undefined;
  /** Whether the answer is still wanted. */
  readonly interest: Interest;
}

/** A question in a client's name, which ends when the client has left and nothing of the answer is to be stored. */
export function ask(inquiry: Inquiry, lease: Lease | undefined, place: Place | undefined): Question {
  return question(inquiry, lease, place, inquiry.host.signal());
}

/** A question that is no client's, and ends after a while. */
export function askAlone(inquiry: Inquiry, lease: Lease, place: Place): Question {
  const asked = question(inquiry, lease, place, undefined);
  void asked.interest.endLater();
  return asked;
}

function question(
  inquiry: Inquiry,
  lease: Lease | undefined,
  place: Place | undefined,
  client: AbortSignal | undefined,
): Question {
  const { settings, state } = inquiry;
  // Others wait for no longer than this, so a handler that takes longer keeps the next one from nothing.
  if (lease) inquiry.inBackground(lease.keep(settings.collapseMs), "keep");
  const giveUp = (): void => {
    if (lease) inquiry.inBackground(lease.yield(settings.retryAfterMs), "settle");
  };
  const interest = new Interest(client, settings.clock, giveUp);
  // What could not be stored of late is most likely not stored now: its client decides.
  if (!lease || lease.on === "mark") interest.leaveToClient();
  return { requestTimeMs: settings.clock.now(), stamp: state.log.stamp, lease, place, interest };
}

export function timing({ requestTimeMs }: Question, { settings }: Inquiry): Timing {
  return { requestTimeMs, responseTimeMs: settings.clock.now() };
}
