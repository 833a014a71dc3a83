import type { SchemaIssue } from "./errors.js";

/** A method, and the key that it is called for. */
export interface MethodEvent {
  /** The cache's method, such as `"getMany"` or `"sets.add"`; `"http"` for the HTTP cache. */
  readonly method: string;
  /** The stored key; empty for several. */
  readonly key: string;
}

/** A method, and how many keys it is called for. */
export interface KeysEvent extends MethodEvent {
  /** Number of keys; of members or fields where those were stored, deleted or looked up. */
  readonly count: number;
}

/** A call of a method, from beginning to end. A loop over `iterKeys` or `sets.iterate` is one call, which ends with the loop. */
export interface CallEvent extends KeysEvent {
  /**
   * How many of its keys had a fresh value. The sum of `hits`, `misses` and `stale` is `count`, and 0 for methods that look
   * nothing up, such as `set` and `ttl`.
   */
  readonly hits: number;
  /** How many of its keys had no value that could be returned. */
  readonly misses: number;
  /** How many of its keys had a stale value that was returned. */
  readonly stale: number;
  /** Size of the encoded values that were read or written, in bytes, or in characters where they are text. */
  readonly bytes: number;
  /** How much of that was written. */
  readonly bytesWritten: number;
  /** How long the loads of its hits took, which `herd()` stores with each value that it loads; 0 for other values. */
  readonly savedMs: number;
  /** When it began, by `performance.now()`. */
  readonly startedMs: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** What it threw, or would have thrown without `ignoreErrors`; `undefined` when it has succeeded. */
  readonly error: unknown;
}

/** The events of a cache, by name. Times are milliseconds; keys are stored keys. */
export interface CacheEvents {
  /** A method has ended. */
  call: CallEvent;
  /** Fresh values were found. */
  hit: KeysEvent & {
    /** The lookup was another caller's of this process, which this one joined. */
    readonly shared: boolean;
    /** Size of the encoded values, in bytes, or in characters where they are text; 0 where it is not known. */
    readonly bytes: number;
    /** How long their loads took, as in `CallEvent`. */
    readonly savedMs: number;
  };
  /** No values were found that can be returned, or the lookup failed. */
  miss: KeysEvent & { readonly shared: boolean };
  /** A stale value was returned. */
  stale: KeysEvent;
  /** The wait for another caller's value has ended. `answered` is false when it ended without a value. */
  wait: MethodEvent & { readonly durationMs: number; readonly answered: boolean };
  /** A loader has ended, or the origin has sent a response that the HTTP cache may store. */
  load: KeysEvent & {
    /** For the HTTP cache, until the head of the response. */
    readonly durationMs: number;
    readonly failed: boolean;
    /** No caller waits for it. */
    readonly background: boolean;
  };
  /** Entries, members or fields were stored. */
  set: KeysEvent & { readonly bytes: number };
  /** Entries, members or fields were deleted. */
  delete: KeysEvent;
  /** An entry was given another lifetime, or none. */
  expire: KeysEvent;
  /** Responses were purged: by URL, also after an unsafe request; or everything with a label, by `purgeTags` too. Its key is empty. */
  purge: KeysEvent & {
    readonly by: "url" | "tag" | "group" | "prefix";
    /** The URLs, tags, groups or path prefixes, as many as `count`. */
    readonly what: readonly string[];
    /** What has any of them was purged, or only what has all of them: several tags. */
    readonly match: "any" | "all";
    readonly soft: boolean;
    /** How many stored responses it ended; absent for labels, whose responses are not counted. */
    readonly ended: number | undefined;
  };
  /** The near cache has dropped values to make room. */
  evict: KeysEvent;
  /** The near cache has dropped values that have changed at the server. */
  invalidate: KeysEvent;
  /** The lease on an entry was asked for, or the wait for it began. */
  claim: MethodEvent & { readonly won: boolean };
  /** A lease was renewed. `held` is false when it was found lost. */
  renew: MethodEvent & { readonly held: boolean };
  /** A value was not stored because its lease was lost: the entry was deleted, written, or loaded by another caller. */
  fenced: MethodEvent;
  /** A fresh value is refreshed before it expires. */
  early: MethodEvent;
  /** The schema of a definition has refused a stored value, which is loaded again. Its lookup has counted it as a hit. */
  refused: MethodEvent & { readonly issues: readonly SchemaIssue[] };
  /** A call has failed, or work that no caller waits for. */
  error: MethodEvent & {
    readonly error: unknown;
    /** What has failed. */
    readonly kind: ErrorKind;
  };
  /** Commands that were sent together were answered, or have failed. */
  roundTrip: {
    /** The names of the commands, or of the script. */
    readonly commands: readonly string[];
    readonly durationMs: number;
    /** Why there was no reply; `undefined` when there was one. */
    readonly error: unknown;
  };
  /** The circuit breaker has opened, or closed. */
  breaker: { readonly state: "open" | "closed"; readonly error: unknown };
  /** A connection was opened, has ended, or could not be opened. */
  connection: { readonly state: "opened" | "ended" | "failed"; readonly durationMs: number; readonly error: unknown };
  /** The HTTP cache has answered a request, with what Cache-Status says of it (RFC 9211). */
  http: {
    /** The request's method, and the URL that the client asked for. */
    readonly method: string;
    readonly url: string;
    /** `"hit"`, or why the request went to the origin. */
    readonly outcome: HttpOutcome;
    /** The response's status; 499 for a client that left while it waited. Absent where the origin has thrown. */
    readonly status: number | undefined;
    /** The origin's status, where it is not the one that the client gets. */
    readonly forwardedStatus: number | undefined;
    /** What is left of the lifetime of a stored response; below 0 when it is stale. */
    readonly ttlMs: number | undefined;
    /** The origin's response is stored. A body that ends later is stored then, with the event `set`. */
    readonly stored: boolean;
    /** `true` when another request's response was used, `false` when the wait for it ended without one. Absent without a wait. */
    readonly collapsed: boolean | undefined;
    /** Why the request bypassed the cache, or why the response was not stored; also without the option `debug`. */
    readonly detail: string | undefined;
    /** Until the head of the response. */
    readonly durationMs: number;
    /** What the origin has thrown. */
    readonly error: unknown;
  };
}

/** How the HTTP cache handled a request. RFC 9211 §2. */
export type HttpOutcome =
  | "hit"
  | "bypass"
  | "method"
  | "uri-miss"
  | "vary-miss"
  | "miss"
  | "request"
  | "stale"
  | "partial";

/** Kinds of errors, for groups. docs/observability.md has a table of them. */
export type ErrorKind =
  | "connection"
  | "timeout"
  | "reply"
  | "decode"
  | "encode"
  | "loader"
  | "loader-timeout"
  | "aborted"
  | "usage"
  | "other";

/** The name of an event. */
export type EventName = keyof CacheEvents;
/** Called with each event of a name. It is not waited for, and what it throws goes to `onError`. */
export type Listener<E extends EventName> = (event: CacheEvents[E]) => void;

/** The names of all events; a test compares them with the types. */
export const EVENT_NAMES = [
  "call",
  "hit",
  "miss",
  "stale",
  "wait",
  "load",
  "set",
  "delete",
  "expire",
  "purge",
  "evict",
  "invalidate",
  "claim",
  "renew",
  "fenced",
  "early",
  "refused",
  "error",
  "roundTrip",
  "breaker",
  "connection",
  "http",
] as const satisfies readonly EventName[];

/** What is recorded while it has listeners: an operation, or a request to the HTTP cache. */
export type Recorded = Operation["kind"] | "http";

/** The events that are made of such a record. */
export const EVENTS_OF: Readonly<Record<Recorded, readonly EventName[]>> = {
  call: ["call", "hit", "miss", "stale", "set", "delete", "expire", "error"],
  load: ["load"],
  refresh: [],
  roundTrip: ["roundTrip"],
  http: ["http", "error"],
};

export function isEventName(name: unknown): name is EventName {
  return EVENT_NAMES.includes(name as EventName);
}

/** What takes time, and may have a span. */
export type Operation =
  | { readonly kind: "call"; readonly call: CallEvent }
  | { readonly kind: "load"; readonly method: string; readonly key: string; readonly count: number }
  /** A load that no caller waits for. It is described in the caller's context, and runs outside of it. */
  | { readonly kind: "refresh"; readonly method: string; readonly key: string }
  | { readonly kind: "roundTrip"; readonly commands: readonly string[] };

/** Runs the work of an operation, such as inside of a span. */
export type Run = <T>(work: () => Promise<T>) => Promise<T>;

/** Called when an operation begins, in the caller's context. Returns what runs its work. */
export type Tracer = (operation: Operation) => Run;

/** Channels of the process, by which events and operations reach subscribers that don't have the cache. */
export interface Channels {
  /** Whether this kind of operation, or one of its events, has subscribers. */
  isHeard(kind: Recorded): boolean;
  /** Whether this event has subscribers. */
  hears(name: EventName): boolean;
  /** @param cache the cache's name */
  publish(name: EventName, event: object, cache: string): void;
  /** What runs an operation's work; `undefined` when its kind has no subscribers. */
  trace(operation: Operation, cache: string): Run | undefined;
}
