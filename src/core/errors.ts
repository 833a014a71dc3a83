/** Base of every error that the library throws for a reason outside the caller's arguments. */
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
}

/** No answer came within the deadline. The command may or may not have been carried out. */
export class TimeoutError extends ConnectionError {
  override readonly name = "TimeoutError";
}

/** The server refused a command. */
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

/** A value can't be stored by this cache's serializer or compressor. Thrown before any I/O. */
export class EncodeError extends CacheError {
  override readonly name = "EncodeError";
}

/** Stored bytes are not what this cache's serializer and compressor write. */
export class DecodeError extends CacheError {
  override readonly name = "DecodeError";
}

/** The operation needs an existing entry and there is none. */
export class KeyNotFoundError extends CacheError {
  override readonly name = "KeyNotFoundError";
}

/** A loader gave no answer within its deadline. */
export class LoaderTimeoutError extends CacheError {
  override readonly name = "LoaderTimeoutError";
}

/** `incr` or `decr` met a value that is not a 64-bit integer. The value is untouched. */
export class NotAnIntegerError extends CacheError {
  override readonly name = "NotAnIntegerError";
}

/** The server's replies to errors, told from data: the only errors that a `Reply` may be. */
export function throwIfError<T>(reply: T): Exclude<T, ReplyError> {
  if (reply instanceof ReplyError) throw reply;
  return reply as Exclude<T, ReplyError>;
}

/** How a value looks in a message: short, and never a secret of any length. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) {
    const kind = Object.getPrototypeOf(value)?.constructor?.name;
    return typeof kind === "string" && kind !== "Object" ? `an instance of ${kind}` : "an object";
  }
  return String(value);
}
