import { UnavailableError } from "../core/availability.js";
import { ConfigurationError, ConnectionError, ReplyError } from "../core/errors.js";
import type { RefusedError } from "./link.js";
import type { NearSettings } from "./port.js";

/** What is left where a server refuses to tell of changes. Under `"off"` nothing is kept. */
export interface Refusal {
  readonly mode: "channel" | "ttl" | "off";
  readonly error: Error;
}

/** @param demanded the option `invalidation`: another kind does not do */
export function toRefusal({ what, message }: RefusedError, demanded: NearSettings["invalidation"]): Refusal {
  if (demanded !== undefined) {
    const remedy = `the near cache keeps nothing, as option "invalidation" demands "${demanded}"; leave it out, or allow the command`;
    return { mode: "off", error: new ConfigurationError(`near cache: ${message}; ${remedy}`) };
  }
  const isTracking = what === "tracking";
  const but = isTracking ? " but those of other near caches" : "";
  const instead = `the near cache hears of no changes${but} meanwhile, and keeps entries for maxStaleness at most`;
  const command = isTracking ? "CLIENT TRACKING" : "SUBSCRIBE";
  return {
    mode: isTracking ? "channel" : "ttl",
    error: new UnavailableError(command, new ReplyError("ERR", message), instead),
  };
}

/** The server tells no lifetimes. */
export function withoutLifetimes(reply: ReplyError): Error {
  return new UnavailableError("PTTL", reply, "the near cache keeps nothing meanwhile");
}

/** A listener could not be had for a while. */
export function notListening(cause: Error): Error {
  return new ConnectionError(`near cache: it can't hear of changes, and keeps nothing meanwhile: ${cause.message}`, {
    cause,
  });
}
