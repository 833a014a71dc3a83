import type { FastifyReply, FastifyRequest } from "fastify";
import { type Answer, sendable } from "../http/answer.js";
import type { Forwarded, Host, OriginRequest } from "../http/host.js";
import type { Outcome } from "../http/http-cache.js";
import { enterCache } from "../http/nesting.js";
import { restorePreset } from "../http/preset-fields.js";
import { unconditional } from "../http/rfc/conditional.js";
import { type Fields, hasField } from "../http/rfc/message.js";
import type { RoutePolicy } from "../http/route-policy.js";
import { toForwarded, WITHOUT_BODY } from "./forwarded.js";
import { noBytes, Payload, toReadable } from "./payload.js";
import { fieldsOf, ReplyHeaders, removeFields, toRecord, watchReply } from "./reply.js";
import { RequestView } from "./request-view.js";

/** Goes on with a hook: with an error, or with a payload in the place of the one it got. */
export type Done = (error?: Error | null, payload?: unknown) => void;

/** What a host gets besides the request and the reply. */
export interface HostParts {
  /** Goes on to the next hook, and so to the handler. */
  readonly next: () => void;
  readonly refetch: Host["refetch"];
  readonly cacheId: () => string;
  /** The options of the route go before those of the plugin. */
  readonly policy: RoutePolicy;
  /** Response fields that clients don't get. */
  readonly hidden: readonly string[];
  /** No client waits for the reply: it ends without content, and the response is for the store alone. */
  readonly isInternal: boolean;
}

/** A reply on which the cache has yet to decide. */
interface Held {
  readonly payload: Payload;
  /** Goes on with the hook onSend. */
  readonly done: Done;
}

/** What describes a body. Fastify and other hooks change some of it when they get a reply's payload. */
const REPRESENTATION = ["content-encoding", "content-length", "content-range", "content-type", "etag"];
/** Replies that a cache waits for. A cache inside of it must leave its decisions alone. */
const awaited = new WeakSet<FastifyReply>();

/**
 * The rest of an application's hooks and its handler, as the origin of one request. The handler's reply comes back through
 * the hook onSend, where it waits until the cache has decided what is sent.
 */
export class FastifyHost implements Host {
  readonly refetch: Host["refetch"];
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #parts: HostParts;
  readonly #view: RequestView;
  readonly #isInner: boolean;
  #preset: Fields | undefined;
  /** The handler runs: takes its response. */
  #arrived: ((forwarded: Forwarded) => void) | undefined;
  /** The handler's reply waits. */
  #held: Held | undefined;
  /** The reply is on its way to the client. */
  #isOver = false;
  #answered: { readonly payload: unknown; readonly fields: Readonly<Record<string, unknown>> } | undefined;
  #given: OriginRequest | undefined;
  #hasTrailers = false;
  #hasFailed = false;
  /** Of Fastify's own option `handlerTimeout`. */
  #timeout: AbortController | undefined;

  constructor(request: FastifyRequest, reply: FastifyReply, parts: HostParts) {
    this.#request = request;
    this.#reply = reply;
    this.#parts = parts;
    this.#view = new RequestView(request);
    this.#isInner = awaited.has(reply);
    this.refetch = parts.refetch;
  }

  preset(): Fields {
    this.#preset ??= fieldsOf(this.#reply);
    return this.#preset;
  }

  waitUntil(): void {}

  signal(): AbortSignal {
    const { raw } = this.#reply;
    const controller = new AbortController();
    const leave = (): void => {
      // Node's responses of HTTP/2 say only that they have been ended.
      if (!(raw.writableFinished ?? raw.writableEnded)) controller.abort();
    };
    if (raw.destroyed) leave();
    else raw.once("close", leave);
    return controller.signal;
  }

  forward(given: OriginRequest | undefined): Promise<Forwarded> {
    const { raw } = this.#request;
    enterCache(raw, raw, this.#parts.cacheId());
    awaited.add(this.#reply);
    const preset = this.preset();
    if (given) {
      this.#given = { ...given, signal: this.#handlerSignal(given) };
      // What is stored must not show them. `finish` puts them back.
      removeFields(this.#reply, preset);
      this.#view.show(this.#given);
    }
    return new Promise((resolve) => {
      this.#arrived = resolve;
      if (this.#isOver || this.#reply.sent) this.#sentElsewhere();
      else {
        this.#watch(given?.signal);
        this.#parts.next();
      }
    });
  }

  /** Fires also when the handler has taken longer than its route allows. */
  #handlerSignal({ signal }: OriginRequest): AbortSignal {
    if (!this.#request.routeOptions.handlerTimeout) return signal;
    this.#timeout = new AbortController();
    return AbortSignal.any([signal, this.#timeout.signal]);
  }

  /** @param unwanted fires when the response is not needed any more */
  #watch(unwanted: AbortSignal | undefined): void {
    const { raw } = this.#reply;
    const sent = (status?: number): void => this.#sentElsewhere(status);
    watchReply(this.#reply, {
      trailer: () => (this.#hasTrailers = true),
      // The status of a response that may change what is stored is known only when it is sent.
      hijack: () => this.#given && sent(),
      head: sent,
    });
    raw.once("close", () => {
      if (this.#reply.sent) sent();
    });
    // No handler has to answer a client that has left.
    unwanted?.addEventListener("abort", () => sent(), { once: true });
  }

  #sentElsewhere(status = this.#reply.raw.statusCode): void {
    const known = status >= 200 && status <= 599 ? status : 200;
    this.#arrive({ response: new Response(null, { status: known }), failed: false, isSent: true });
  }

  #arrive(forwarded: Forwarded): void {
    this.#arrived?.(forwarded);
    this.#arrived = undefined;
  }

  /** The hook onError: what is sent next is an error response. */
  fail(error: Error): void {
    this.#hasFailed = true;
    if ("code" in error && error.code === "FST_ERR_HANDLER_TIMEOUT") this.#timeout?.abort(error);
  }

  /** The hook onSend. */
  send(value: unknown, done: Done): void {
    // Fastify sends once more where an async handler sends and returns nothing.
    if (this.#held || (this.#isOver && !this.#hasFailed)) new Payload(value).discard();
    else if (this.#arrived) this.#hold(value, done);
    else {
      this.#isOver = true;
      this.#putBack(value, done);
    }
  }

  #hold(value: unknown, done: Done): void {
    const payload = new Payload(this.#unwrap(value));
    this.#held = { payload, done };
    let forwarded: Forwarded;
    try {
      forwarded = toForwarded(this.#reply, payload, {
        isStorable: this.#given !== undefined,
        hasTrailers: this.#hasTrailers,
        hasFailed: this.#hasFailed,
        preset: this.preset(),
        policy: this.#parts.policy,
      });
    } catch {
      // Fastify refuses what can't be made a response.
      this.#sentElsewhere();
      return;
    }
    this.#arrive(forwarded);
    if (!this.#parts.isInternal) return;
    this.#clear();
    this.#release();
    done(null, null);
  }

  /** Outer hooks must not see the response that is stored. */
  #clear(): void {
    removeFields(this.#reply, fieldsOf(this.#reply));
    this.#reply.code(204);
  }

  /** Ends an internal request that is not for the handlers. */
  sendNothing(): void {
    this.#clear();
    this.#reply.send();
  }

  /** A Response is sent as its status, header fields and body. */
  #unwrap(value: unknown): unknown {
    if (Object.prototype.toString.call(value) !== "[object Response]") return value;
    const { status, headers, body } = value as Response;
    this.#reply.code(status);
    for (const [name, line] of headers) this.#reply.header(name, line);
    return body;
  }

  /** Sends what the cache has decided. @throws what Fastify throws at it */
  finish(outcome: Outcome): Promise<void> | undefined {
    const held = this.#held;
    if ("forwarded" in outcome) {
      // Else the handler has sent it already.
      if (held) this.#pass(held, outcome.member);
      return undefined;
    }
    const { answer } = outcome;
    const send = held ? (payload: unknown) => this.#replace(held, answer, payload) : () => this.#answer(answer);
    const { body } = answer;
    if (!held?.payload.bytes || !(body instanceof ReadableStream)) return void send(this.#toPayload(answer));
    // Hooks get what the handler has sent, and not a stream, where the client gets all of it.
    return new Response(body).arrayBuffer().then((all) => {
      const bytes = Buffer.from(all);
      const isWhole = held.payload.bytes !== undefined && bytes.equals(held.payload.bytes);
      send(isWhole ? held.payload.value : bytes);
    });
  }

  /** Sends an answer in the place of the handler's reply. */
  #replace({ payload: own, done }: Held, answer: Answer, payload: unknown): void {
    this.#restoreRequest(answer.isUnderway && own.bytes === undefined);
    own.discard();
    removeFields(this.#reply, fieldsOf(this.#reply));
    this.#setHead(answer);
    this.#release();
    done(null, payload);
  }

  /** Sends an answer where the handler has sent nothing. */
  #answer(answer: Answer): void {
    const reply = this.#reply;
    if (reply.sent || this.#isOver) return;
    const isLate = this.#given !== undefined;
    // The preset fields, which are put back, or also what the handler has set so far.
    removeFields(reply, isLate ? fieldsOf(reply) : this.preset());
    const fields = this.#setHead(answer);
    const payload = this.#toPayload(answer);
    this.#answered = { payload, fields };
    this.#arrived = undefined;
    // Fastify would make a text of null.
    reply.send(payload ?? undefined);
    // The handler still runs. What it sends is not wanted any more.
    if (isLate) Object.assign(reply, { send: (late: unknown) => this.#ignore(late) });
  }

  #ignore(late: unknown): FastifyReply {
    new Payload(late).discard();
    return this.#reply;
  }

  /** Goes on after an error of the cache or of a `keyGenerator`. */
  abandon(error: Error): void {
    const held = this.#held;
    this.#restoreRequest();
    if (held) {
      this.#release();
      held.done(error);
    } else this.#reply.send(error);
  }

  #release(): void {
    this.#held = undefined;
    this.#isOver = true;
  }

  #pass({ payload, done }: Held, member: string | undefined): void {
    const headers = new ReplyHeaders(this.#reply);
    if (this.#given) restorePreset(headers, this.preset());
    if (member !== undefined) {
      headers.append("cache-status", member);
      for (const name of this.#parts.hidden) headers.delete(name);
    }
    this.#restoreRequest(payload.bytes === undefined);
    this.#release();
    done(null, payload.value);
  }

  /** Sets the status and the header fields of an answer. */
  #setHead(answer: Answer): Record<string, unknown> {
    const fields = toRecord(answer);
    this.#reply.code(answer.status).headers(fields);
    if (this.preset().length === 0) return fields;
    const headers = new ReplyHeaders(this.#reply);
    restorePreset(headers, this.preset());
    for (const name of this.#parts.hidden) headers.delete(name);
    return this.#reply.getHeaders();
  }

  #toPayload(answer: Answer): unknown {
    const { status, body } = answer;
    if (this.#request.method === "HEAD") return noBytes();
    if (body === null || WITHOUT_BODY.has(status)) return null;
    if (!(body instanceof Uint8Array)) return toReadable(body);
    const whole = sendable(answer, body);
    return typeof whole === "string" ? whole : Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength);
  }

  /** What Fastify and hooks that were registered before have changed of an answer that has all of this already. */
  #putBack(value: unknown, done: Done): void {
    const answered = this.#answered;
    this.#answered = undefined;
    if (!answered || this.#isInner) {
      done();
      return;
    }
    for (const name of REPRESENTATION) {
      const own = answered.fields[name];
      if (own === undefined) this.#reply.removeHeader(name);
      else if (this.#reply.getHeader(name) !== own) this.#reply.header(name, own);
    }
    if (value !== answered.payload) new Payload(value).discard();
    done(null, answered.payload);
  }

  /** @param isUnderway the handler still makes the body, so it must not see what the cache has kept from it */
  #restoreRequest(isUnderway: boolean | undefined = false): void {
    const given = this.#given;
    if (!given || given.signal.aborted) return;
    if (!isUnderway) this.#view.restore();
    // Hooks would take the validators of the stored response for the client's own.
    else if (hasField(given.fields, "if-none-match") || hasField(given.fields, "if-modified-since")) {
      this.#view.show({ ...given, fields: unconditional(given.fields) });
    }
  }
}
