import type { Fields } from "./rfc/message.js";
import type { StoredResponse } from "./rfc/stored-response.js";

/** Shorter values occur by accident. */
const MIN_LENGTH = 8;
/** Fields that all clients send alike, or that say nothing to a handler. */
const COMMON: ReadonlySet<string> = new Set(["accept", "accept-encoding", "connection", "host"]);

const warned = new Set<string>();

/**
 * Warns, once for each field in a process, when a response that is stored for all clients has the value of a request field
 * that it doesn't name in Vary. It is a hint for development, used with the option `debug`.
 * @param request the fields that the handler has seen
 */
export function warnOfEcho(request: Fields, stored: Pick<StoredResponse, "vary" | "fields">, body: Uint8Array): void {
  const unnamed = request.filter(
    ([name, value]) =>
      value.length >= MIN_LENGTH && !COMMON.has(name) && !stored.vary.includes(name) && !warned.has(name),
  );
  if (unnamed.length === 0) return;
  const text = [new TextDecoder().decode(body), ...stored.fields.map(([, value]) => value)].join("\n");
  for (const [name, value] of unnamed) {
    if (!text.includes(value)) continue;
    warned.add(name);
    console.warn(
      `valkey-edge-cache: a response that is stored for all clients shows the request's ${name}; add it to the response's Vary, or keep it from handlers with the option unkeyedFields`,
    );
  }
}
