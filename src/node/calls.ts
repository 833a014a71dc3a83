import type { Method } from "./messages.js";

/** The arguments of `write` and `end`, with the callback in its place. */
export function toCall(args: readonly unknown[]): [chunk: unknown, encoding: unknown, callback: Method | undefined] {
  const at = args.findIndex((arg) => typeof arg === "function");
  const [chunk, encoding] = at < 0 ? args : args.slice(0, at);
  const callback = args[at];
  const call: Method = (...given) =>
    typeof callback === "function" ? Reflect.apply(callback, undefined, given) : undefined;
  return [chunk, encoding, at < 0 ? undefined : call];
}

/** Copies bytes, as the handler may use its buffer again while they are kept for the store. */
export function toBytes(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk === "string") return Buffer.from(chunk, isEncoding(encoding) ? encoding : "utf8");
  if (chunk instanceof Uint8Array) return Buffer.from(chunk);
  const message = "the chunk of a body must be a string, a Buffer or a Uint8Array";
  throw withCode(new TypeError(message), "ERR_INVALID_ARG_TYPE");
}

function isEncoding(encoding: unknown): encoding is BufferEncoding {
  return typeof encoding === "string" && Buffer.isEncoding(encoding);
}

/** The status, the reason phrase and the fields of a call of `writeHead`. @throws as Node does on a status that is none */
export function toHead(args: readonly unknown[]): {
  readonly status: number;
  readonly reason: string | undefined;
  readonly fields: readonly (readonly [string, string | readonly string[]])[];
} {
  const [given, second, third] = args;
  const status = Number(given) | 0;
  if (status < 100 || status > 999) {
    throw withCode(new RangeError(`Invalid status code: ${String(given)}`), "ERR_HTTP_INVALID_STATUS_CODE");
  }
  const reason = typeof second === "string" ? second : undefined;
  return { status, reason, fields: toPairs(third ?? (reason === undefined ? second : undefined)) };
}

/** Fields come as an object, as a flat list, or as a list of pairs. */
function toPairs(given: unknown): readonly (readonly [string, string | readonly string[]])[] {
  if (typeof given !== "object" || given === null) return [];
  if (!Array.isArray(given)) return Object.entries(given);
  const list: readonly unknown[] = given;
  const flat = list.flatMap((part) => (Array.isArray(list[0]) ? part : [part]));
  const lines = new Map<string, [string, string[]]>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = String(flat[at]);
    const known = lines.get(name.toLowerCase()) ?? [name, []];
    lines.set(name.toLowerCase(), [known[0], known[1].concat([flat[at + 1]].flat().map(String))]);
  }
  return [...lines.values()].map(([name, values]) => [name, values.length === 1 ? String(values[0]) : values]);
}

export function headersSent(): Error {
  return withCode(new Error("Cannot set headers after they are sent to the client"), "ERR_HTTP_HEADERS_SENT");
}

export function withCode<T extends Error>(error: T, code: string): T {
  return Object.assign(error, { code });
}

/** Whether a field may give a response a lifetime: Cache-Control, Expires, and those of RFC 9213, such as CDN-Cache-Control. */
export function isLifetime(name: unknown): boolean {
  return /^(?:.+-)?cache-control$|^expires$/i.test(String(name));
}
