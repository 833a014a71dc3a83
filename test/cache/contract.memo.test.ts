import { inject } from "vitest";
import type { Cache } from "../../src/cache/cache.js";
import { type CacheOptions, createCache, herd, nearCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

const SETUPS: readonly (readonly [name: string, options: () => CacheOptions])[] = [
  ["memory", () => ({ location: "memory:contract" })],
  ["GLIDE, by the herd client", () => ({ location: inject("valkeyUrl"), client: herd() })],
  ["GLIDE with a near cache", () => ({ location: inject("valkeyUrl"), nearCache: nearCache() })],
];

for (const [name, setup] of SETUPS) {
  cacheContract(
    `${name}, by a view that reads each key once`,
    (options) => memoView(createCache({ ...setup(), keyPrefix: ownPrefix(), ...options })),
    { cluster: false, sharesValues: true, remembers: true },
  );
}

/** A view in the place of a cache, which is closed with it. */
function memoView(whole: Cache): Cache {
  const view = whole.for({ memo: true });
  const close = view.close.bind(view);
  view.close = () => close().finally(() => whole.close());
  return view;
}
