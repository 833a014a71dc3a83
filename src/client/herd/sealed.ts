import type { Encoded } from "../../codec/encoded.js";
import { FOREVER, NO_TOKEN, seal } from "../../codec/envelope.js";
import type { ClientContext } from "../client.js";
import type { Stored } from "../key-commands.js";
import { boundedDelta } from "./early.js";
import type { HerdSettings } from "./options.js";

/** The form in which a value is stored: in an envelope that says until when it is fresh, and for the grace on top of that. */
export function sealed(
  { clock, codec }: ClientContext,
  { jitter, graceMs }: HerdSettings,
  encoded: Encoded,
  ttlMs: number | null,
  deltaMs: number,
): Stored {
  const shortMs = ttlMs === null ? null : Math.max(1, Math.round(ttlMs * (1 - jitter * clock.random())));
  const freshUntilMs = shortMs === null ? FOREVER : Math.min(FOREVER, clock.now() + shortMs);
  const header = { freshUntilMs, deltaMs: boundedDelta(deltaMs, shortMs), token: NO_TOKEN, leaseUntilMs: 0 };
  return { stored: seal(header, codec.mark, encoded), ttlMs: shortMs === null ? null : shortMs + graceMs };
}
