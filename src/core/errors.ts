/** Base class of the library's errors. Wrong arguments of a call are a `TypeError` instead. */
export abstract class CacheError extends Error {
  abstract override readonly name: string;
}

/** An option is wrong, unknown or contradicts another one. Thrown when a cache is made, before any I/O. */
export class ConfigurationError extends CacheError {
  override readonly name = "ConfigurationError";
}

/** No connection could be opened, or it was lost or closed. Unless the cache was closed, a later call may succeed. */
export class ConnectionError extends CacheError {
  override readonly name: string = "ConnectionError";
  /** Whether the server may have run the command: it was sent, and the reply was lost. */
  mayHaveRun = false;
}

/** There was no reply within the deadline. The server may or may not have run the command. */
export class TimeoutError extends ConnectionError {
  override readonly name = "TimeoutError";
}

/**
 * The server refused a command. Under the code `TRYAGAIN`, it may be the library that gave up: other writers kept replacing the
 * tags of an entry while a method was to change it.
 */
export class ReplyError extends CacheError {
  override readonly name = "ReplyError";

  /**
   * @param code the error's first word as the server sends it, such as `WRONGTYPE` or `OOM`; `ERR` when there is none
   * @param detail the rest of the server's message
   */
  constructor(
    readonly code: string,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super(`${code} ${detail}`, options);
  }
}

/** This cache's serializer or compressor can't store a value. Thrown before any I/O. */
export class EncodeError extends CacheError {
  override readonly name = "EncodeError";
}

/** This cache's serializer or compressor can't read the stored bytes. */
export class DecodeError extends CacheError {
  override readonly name = "DecodeError";
}

/** The operation needs an existing entry, but there is none. */
export class KeyNotFoundError extends CacheError {
  override readonly name = "KeyNotFoundError";
}

/** A loader waits for the value that it computes, over other loaders or directly. */
export class LoaderCycleError extends CacheError {
  override readonly name = "LoaderCycleError";
}

/** A loader did not finish within its deadline. */
export class LoaderTimeoutError extends CacheError {
  override readonly name = "LoaderTimeoutError";
}

/** Why a schema refuses a value, and where in it. */
export interface SchemaIssue {
  readonly message: string;
  /** The keys that lead to the place, plain or as objects that have them. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The schema of a definition refuses a value: a loader's, one to store, or one that other writers keep storing. */
export class SchemaError extends CacheError {
  override readonly name = "SchemaError";

  constructor(
    message: string,
    readonly issues: readonly SchemaIssue[],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** `incr` or `decr` found a value that is not a 64-bit integer. The value is unchanged. */
export class NotAnIntegerError extends CacheError {
  override readonly name = "NotAnIntegerError";
}

/** Throws a reply that is an error, and returns any other reply. @throws {ReplyError} */
export function throwIfError<T>(reply: T | ReplyError): T {
  // No reply is another error, and this test is cheaper.
  if (reply instanceof Error) throw reply;
  return reply;
}

/** A short description of a value for error messages. It shows at most 60 characters of a string. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) {
    const kind = Object.getPrototypeOf(value)?.constructor?.name;
    // Objects of generators have a constructor without a name.
    return typeof kind === "string" && kind !== "" && kind !== "Object" ? `an instance of ${kind}` : "an object";
  }
  return String(value);
}

/** Error codes with which a server refuses writes and still answers reads. */
const WRITE_REFUSALS: ReadonlySet<string> = new Set(["OOM", "READONLY", "MISCONF", "NOREPLICAS", "NOPERM"]);

/** Whether the server refused a write but may still answer reads. */
export function refusesWrites(reply: unknown): reply is ReplyError {
  return reply instanceof Error && reply instanceof ReplyError && WRITE_REFUSALS.has(reply.code);
}
