import { afterAll, beforeAll, describe, onTestFinished } from "vitest";
import type { Cache } from "../../src/cache/cache.js";
import type { CacheOptions } from "../../src/cache/options.js";
import { bulkMethods } from "./cache/bulk.js";
import { calls } from "./cache/calls.js";
import { clearing } from "./cache/clearing.js";
import { closing } from "./cache/closing.js";
import { conditions } from "./cache/conditions.js";
import { counters } from "./cache/counters.js";
import { definitions } from "./cache/definitions.js";
import { events } from "./cache/events.js";
import { expiry } from "./cache/expiry.js";
import { forcedRefreshes } from "./cache/forced-refreshes.js";
import { hashes } from "./cache/hashes.js";
import { keys } from "./cache/keys.js";
import { keyspace } from "./cache/keyspace.js";
import { loads } from "./cache/loads.js";
import { locks } from "./cache/locks.js";
import { memos } from "./cache/memos.js";
import { namespaces } from "./cache/namespaces.js";
import { refusals } from "./cache/refusals.js";
import { setAlgebra } from "./cache/set-algebra.js";
import { sets } from "./cache/sets.js";
import { softExpiry } from "./cache/soft-expiry.js";
import { deleteOwn } from "./cache/stored.js";
import { tags } from "./cache/tags.js";
import { values } from "./cache/values.js";
import { versions } from "./cache/versions.js";

export interface CacheTraits {
  /** Keys live in several slots on several nodes. */
  readonly cluster: boolean;
  /** Callers share values, which nobody can change. @default false */
  readonly sharesValues?: boolean;
  /** What was read is remembered, and so is a stale value. @default false */
  readonly remembers?: boolean;
}

/** A cache that ends with the test; unless told otherwise, under a prefix that nobody else has. */
export type Open = (options?: Partial<CacheOptions>) => Cache;

/** What a cache does alike on every transport, whatever the client. Caches of one prefix share their data. */
export function cacheContract(name: string, make: Open, traits: CacheTraits): void {
  describe(`a cache over ${name}`, () => {
    let held: Cache | undefined;
    // The process's one connection ends with its last cache: this one keeps it open from test to test.
    beforeAll(async () => {
      held = make();
      await held.has("anything");
    });
    afterAll(async () => {
      if (held) await deleteOwn(held);
      await held?.close();
    });

    const open: Open = (options) => {
      const cache = make(options);
      onTestFinished(() => cache.close());
      return cache;
    };
    for (const part of [
      keys,
      values,
      conditions,
      loads,
      bulkMethods,
      definitions,
      counters,
      expiry,
      softExpiry,
      forcedRefreshes,
      tags,
      versions,
    ])
      part(open, traits);
    for (const part of [
      sets,
      setAlgebra,
      hashes,
      locks,
      keyspace,
      clearing,
      namespaces,
      refusals,
      closing,
      calls,
      events,
      memos,
    ])
      part(open, traits);
  });
}
