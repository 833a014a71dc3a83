import { iovalkey } from "../../src/connection/iovalkey/workerd.js";
import type { Connection, Invocation } from "../../src/core/connection.js";
import { parseLocation } from "../../src/core/location.js";

export const REQUEST: Invocation = { scope: "request", waitUntil: () => {}, signal: undefined };

/** A connection of this request's to a server. */
export function connectTo(location: string): Connection {
  return iovalkey().connect(parseLocation(location), REQUEST);
}
