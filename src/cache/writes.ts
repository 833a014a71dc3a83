import type { CacheCall } from "../core/events.js";
import type { Key } from "../core/key.js";
import { checked, checkValue, toTagsOf, toTtlMs } from "./arguments.js";
import type { SetOptions } from "./method-options.js";
import type { CacheParts } from "./parts.js";

/** `set` and `add`. */
export function write(
  parts: CacheParts,
  method: "set" | "add",
  key: Key,
  value: unknown,
  options: SetOptions,
): Promise<boolean> {
  try {
    const { settings } = parts;
    const stored = parts.keys.stored(key, checked("set", options));
    const ttlMs = toTtlMs(options.ttl, settings.ttlMs);
    checkValue(value, stored);
    const tags = toTagsOf(options.tags, settings.namespaces)?.(value, stored);
    if (options.nx && options.xx)
      throw new TypeError("nx and xx: an entry can't be both absent and there; give one of them");
    const condition = options.nx ? "nx" : options.xx ? "xx" : undefined;
    const isOver = ttlMs !== null && ttlMs <= 0;
    return parts.calls.guard(method, stored, false, (call) => {
      if (!isOver) return parts.client.set(stored, value, { ttlMs, condition, tags, call });
      return end(parts, stored, condition, call);
    });
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A lifetime of 0 or less ends the entry instead of storing one. */
async function end(
  { client }: CacheParts,
  stored: string,
  condition: "nx" | "xx" | undefined,
  call: CacheCall | undefined,
): Promise<boolean> {
  if (condition === "nx") {
    call?.stored(0);
    return !(await client.has(stored));
  }
  const deleted = await client.delete([stored]);
  call?.changed("delete", deleted);
  return condition === undefined || deleted > 0;
}
