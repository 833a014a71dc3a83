import { freshnessLifetime } from "./freshness.js";
import type { Fields } from "./message.js";
import type { Policy } from "./policy.js";
import { forbidsSharing, policyOf, speaksOfCaching } from "./response-policy.js";
import type { StoredResponse } from "./stored-response.js";
import { varyNames } from "./vary.js";

/*
 * Preset fields: what middleware outside of the cache has set on a response before the origin is asked. What they say of
 * caching counts like the response's own fields, and holds for this one request.
 */

/** Whether they say anything of caching. */
export function hasPreset(preset: Fields, { targetedFields }: Policy): boolean {
  return preset.length > 0 && (speaksOfCaching(preset, targetedFields) || varyNames(preset).length > 0);
}

/** Whether they keep the response from being shared, whatever else it will say. */
export function isForOneClient(preset: Fields, { targetedFields }: Policy): boolean {
  return preset.length > 0 && (forbidsSharing(preset, targetedFields) || varyNames(preset) === "*");
}

/** A stored response as it may be used for a request with these fields; `undefined` where it is not chosen by all that they name. */
export function underPreset<T extends StoredResponse>(stored: T, preset: Fields, policy: Policy): T | undefined {
  const names = varyNames(preset);
  if (names === "*" || names.some((name) => !stored.vary.includes(name))) return undefined;
  const said = policyOf(preset, policy.targetedFields);
  if (!said) return stored;
  const { directives } = said;
  const lifetime = freshnessLifetime(stored, said, policy, stored.responseTimeMs);
  const { staleWhileRevalidateMs = Infinity, staleIfErrorMs = Infinity } = directives;
  return {
    ...stored,
    lifetimeMs: lifetime.from === "explicit" ? Math.min(stored.lifetimeMs, lifetime.ms) : stored.lifetimeMs,
    staleWhileRevalidateMs: Math.min(stored.staleWhileRevalidateMs, staleWhileRevalidateMs),
    staleIfErrorMs: stored.staleIfErrorMs === undefined ? undefined : Math.min(stored.staleIfErrorMs, staleIfErrorMs),
    alwaysValidate: stored.alwaysValidate || directives.noCache === true,
    neverStale:
      stored.neverStale ||
      directives.mustRevalidate ||
      directives.proxyRevalidate ||
      directives.sMaxageMs !== undefined,
    immutable: stored.immutable && directives.immutable,
  };
}
