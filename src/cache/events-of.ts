import { show } from "../core/errors.js";
import type { Events } from "../core/events.js";
import type { Cache } from "./cache.js";

/** The events of a cache and its views, for what observes them. @param what asks for them @throws TypeError when it is no cache */
export function eventsOf(cache: Cache, what: string): Events {
  const events: unknown = (cache as Partial<Cache> | null | undefined)?.events;
  if (isEvents(events)) return events;
  throw new TypeError(
    `${what}: ${show(cache)} is not a cache; give what createCache() returns, or one of createCaches()`,
  );
}

/** By its methods, as another copy of this library has a class of its own. */
function isEvents(events: unknown): events is Events {
  return typeof events === "object" && events !== null && "emit" in events && "on" in events;
}
