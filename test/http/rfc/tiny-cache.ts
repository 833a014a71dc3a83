import { bypassReason, UNKEYED_FIELDS } from "../../../src/http/rfc/admission.js";
import { requestDirectives } from "../../../src/http/rfc/cache-control.js";
import { cacheStatus, type ForwardReason } from "../../../src/http/rfc/cache-status.js";
import { isNotModified, notModifiedFields, unconditional } from "../../../src/http/rfc/conditional.js";
import { invalidatedUrls } from "../../../src/http/rfc/invalidation.js";
import {
  type Fields,
  fieldValue,
  type RequestHead,
  type ResponseHead,
  withoutFields,
} from "../../../src/http/rfc/message.js";
import { makePolicy, type PolicyOptions } from "../../../src/http/rfc/policy.js";
import { answerRange, partialFields, unsatisfiableFields } from "../../../src/http/rfc/range.js";
import { type Candidate, type Decision, decide, mayReplaceFailure } from "../../../src/http/rfc/select.js";
import { evaluateStorage } from "../../../src/http/rfc/storable.js";
import { fieldsFromOrigin, fieldsFromStore } from "../../../src/http/rfc/stored-response.js";
import { cacheKey } from "../../../src/http/rfc/target.js";
import { freshen, freshenFromHead, validationRequest } from "../../../src/http/rfc/validation.js";
import { mostRecent, selector } from "../../../src/http/rfc/vary.js";
import { fields, type Lines, NOW, request, SECOND } from "./exchanges.js";

export interface Answer extends ResponseHead {
  readonly body: string;
}

interface Entry extends Candidate {
  readonly selected: string;
  readonly body: string;
}

type Origin = (asked: RequestHead) => Answer;

/** The policy put together in the shortest way, in memory, one request after another. */
export class TinyCache {
  /** What the origin was asked, in order. */
  readonly asked: RequestHead[] = [];
  /** The origin's next answers; it fails when there are none. */
  readonly answers: (Answer | Origin)[] = [];
  #nowMs = NOW;
  readonly #entries = new Map<string, Entry[]>();
  readonly #policy;
  readonly #status = cacheStatus("tiny");

  constructor(options: PolicyOptions = {}) {
    this.#policy = makePolicy(options);
  }

  pass(seconds: number): void {
    this.#nowMs += seconds * SECOND;
  }

  /** Queues an answer of the origin. */
  answer(lines: Lines, status = 200, body = "0123456789"): this {
    this.answers.push({ status, fields: fields(lines), body });
    return this;
  }

  send(lines: Lines = {}, method = "GET", url?: string): Answer {
    const sent = request(lines, method, url);
    const asked = { ...sent, fields: withoutFields(sent.fields, UNKEYED_FIELDS) };
    const key = cacheKey(asked.url, { hosts: undefined, maxUrlLength: 8_192, query: undefined });
    const bypass = bypassReason(asked, false, { cookies: [] });
    if ("refused" in key) return this.#forward(asked, "bypass");
    if (bypass) return this.#bypass(asked, key.key, bypass === "method" ? "method" : "bypass");
    return this.#lookUp(asked, key.key);
  }

  #lookUp(asked: RequestHead, key: string): Answer {
    const all = this.#entries.get(key) ?? [];
    const entry = mostRecent(all.filter(({ stored, selected }) => selector(stored.vary, asked.fields) === selected));
    const directives = requestDirectives(asked.fields);
    if (!entry) {
      if (directives.onlyIfCached) return { status: 504, fields: [], body: "" };
      return this.#miss(asked, key, all.length === 0 ? "uri-miss" : "vary-miss");
    }
    const decision = decide(entry, directives, this.#policy, this.#nowMs);
    if (decision.action === "gateway-timeout") return { status: 504, fields: [], body: "" };
    if (decision.action === "validate") return this.#validate(asked, key, entry, decision);
    const answer = this.#serve(asked, entry, decision.ageMs, this.#status({ how: "hit", ttlMs: decision.ttlMs }));
    if (decision.revalidate) this.#validate({ ...asked, method: "GET" }, key, entry, decision);
    return answer;
  }

  #validate(
    asked: RequestHead,
    key: string,
    entry: Entry,
    decision: Exclude<Decision, { action: "gateway-timeout" }>,
  ): Answer {
    const how = decision.why === "request" ? "request" : "stale";
    if (asked.method === "HEAD") return this.#head(asked, key, how);
    let got: Answer;
    try {
      got = this.#fetch({ ...asked, fields: validationRequest(asked.fields, entry.stored) });
    } catch (error) {
      if (!this.#mayReplace(entry, "unreachable", asked)) throw error;
      return this.#serve(asked, entry, decision.ageMs, this.#status({ how: "hit", ttlMs: decision.ttlMs }));
    }
    if (got.status !== 304) {
      if (!this.#mayReplace(entry, { status: got.status }, asked)) return this.#take(asked, key, got, how);
      return this.#serve(asked, entry, decision.ageMs, this.#status({ how: "hit", ttlMs: decision.ttlMs }));
    }
    const result = freshen(entry.stored, asked, got, this.#timing(), this.#policy);
    if (result.outcome === "mismatch") throw new Error("a 304 about something else");
    const member = this.#status({ how, forwardedStatus: 304, stored: result.outcome === "updated" });
    if (result.outcome === "updated") {
      const newer: Entry = { ...entry, stored: result.stored, invalid: false };
      this.#replace(key, entry, newer);
      return this.#serve(asked, newer, result.stored.initialAgeMs, member);
    }
    if (result.outcome === "last") this.#replace(key, entry);
    return this.#serve(asked, { ...entry, stored: { ...entry.stored, fields: result.fields } }, 0, member);
  }

  #miss(asked: RequestHead, key: string, how: ForwardReason): Answer {
    if (asked.method === "HEAD") return this.#head(asked, key, how);
    return this.#take(asked, key, this.#fetch({ ...asked, fields: unconditional(asked.fields) }), how);
  }

  /** Stores what may be stored, then evaluates the client's own conditions. */
  #take(asked: RequestHead, key: string, got: Answer, how: ForwardReason): Answer {
    const result = evaluateStorage(asked, got, this.#timing(), this.#policy);
    if (result.storable) this.#store(asked, key, result.stored, got.body);
    const member = this.#status({ how, stored: result.storable });
    return this.#conditionally(asked, { ...got, fields: fieldsFromOrigin(got.fields, member) });
  }

  #store(asked: RequestHead, key: string, stored: Entry["stored"], body: string): void {
    const entry = { stored, body, invalid: false, selected: selector(stored.vary, asked.fields) };
    const others = (this.#entries.get(key) ?? []).filter(({ selected }) => selected !== entry.selected);
    this.#entries.set(key, [...others, entry]);
  }

  #head(asked: RequestHead, key: string, how: ForwardReason): Answer {
    const got = this.#forward(asked, how);
    for (const entry of this.#entries.get(key) ?? []) {
      if (selector(entry.stored.vary, asked.fields) !== entry.selected) continue;
      const result = freshenFromHead(entry.stored, asked, got, this.#timing(), this.#policy);
      if (result?.outcome === "updated") this.#replace(key, entry, { ...entry, stored: result.stored });
      if (result?.outcome === "stale") this.#replace(key, entry, { ...entry, invalid: true });
    }
    return got;
  }

  #bypass(asked: RequestHead, key: string, how: ForwardReason): Answer {
    const got = this.#forward(asked, how);
    for (const url of invalidatedUrls(asked, got)) {
      const other = cacheKey(url, { hosts: undefined, maxUrlLength: 8_192, query: undefined });
      if ("key" in other) this.#entries.delete(other.key);
    }
    const result = evaluateStorage(asked, got, this.#timing(), this.#policy);
    if (asked.method === "POST" && result.storable) this.#store(asked, key, result.stored, got.body);
    return got;
  }

  #serve(asked: RequestHead, { stored, body }: Entry, ageMs: number, member: string): Answer {
    const served = { status: stored.status, fields: fieldsFromStore(stored.fields, ageMs, member), body };
    return this.#conditionally(asked, served);
  }

  #conditionally(asked: RequestHead, answer: Answer): Answer {
    const selected = { ...answer, responseTimeMs: this.#nowMs };
    if (isNotModified(asked.fields, selected))
      return { status: 304, fields: notModifiedFields(answer.fields), body: "" };
    if (asked.method === "HEAD") return { ...answer, body: "" };
    const range = answerRange(asked.fields, selected, answer.body.length);
    const { length } = answer.body;
    if (range.kind === "unsatisfiable")
      return { status: 416, fields: unsatisfiableFields(answer.fields, length), body: "" };
    if (range.kind === "whole") return answer;
    const body = answer.body.slice(range.start, range.end);
    return { status: 206, fields: partialFields(answer.fields, range, length), body };
  }

  #forward(asked: RequestHead, how: ForwardReason): Answer {
    const got = this.#fetch(asked);
    return { ...got, fields: fieldsFromOrigin(got.fields, this.#status({ how })) };
  }

  #fetch(asked: RequestHead): Answer {
    this.asked.push(asked);
    const next = this.answers.shift();
    if (!next) throw new Error("the origin is unreachable");
    return typeof next === "function" ? next(asked) : next;
  }

  #mayReplace(entry: Entry, failure: "unreachable" | { status: number }, asked: RequestHead): boolean {
    return mayReplaceFailure(entry, failure, requestDirectives(asked.fields), this.#policy, this.#nowMs);
  }

  #replace(key: string, old: Entry, entry?: Entry): void {
    const others = (this.#entries.get(key) ?? []).filter((each) => each !== old);
    this.#entries.set(key, entry ? [...others, entry] : others);
  }

  #timing() {
    return { requestTimeMs: this.#nowMs, responseTimeMs: this.#nowMs };
  }
}

/** A field of an answer. */
export function field(answer: { readonly fields: Fields }, name: string): string | undefined {
  return fieldValue(answer.fields, name);
}
