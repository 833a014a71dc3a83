import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import { createCache } from "../../src/index.js";
import { FAULTS, FailingStore, type Fault } from "../support/failing-store.js";

const CLIENTS = 5;

/** Nobody waits out a lease: it is as long as the wait, and longer than the test. */
const LONG = { lease: "1h", waitTimeout: "1h" } as const;

interface Scenario {
  readonly headers: Record<string, string>;
  /** Requests before the one with the fault. */
  readonly before: number;
  readonly request?: RequestInit;
}

const scenarios: Record<string, Scenario> = {
  "a cold URL": { headers: { "cache-control": "max-age=60" }, before: 0 },
  "a cold URL with Vary": { headers: { "cache-control": "max-age=60", vary: "accept-language" }, before: 0 },
  "a cold URL with tags": { headers: { "cache-control": "max-age=60", "cache-tag": "a" }, before: 0 },
  "a hit": { headers: { "cache-control": "max-age=60" }, before: 2 },
  "a hit with Vary": { headers: { "cache-control": "max-age=60", vary: "accept-language" }, before: 2 },
  "a reload": {
    headers: { "cache-control": "max-age=60", etag: '"1"' },
    before: 1,
    request: { headers: { "cache-control": "no-cache" } },
  },
  "a validation": { headers: { "cache-control": "no-cache", etag: '"1"' }, before: 1 },
  "a background refresh": { headers: { "cache-control": "max-age=0, stale-while-revalidate=60" }, before: 1 },
  "a response that is not stored": { headers: { "cache-control": "no-store" }, before: 0 },
  "an unsafe request": { headers: { "cache-control": "max-age=60" }, before: 1, request: { method: "POST" } },
};

describe.each(Object.entries(scenarios))("%s", (_name, { headers, before, request }) => {
  it.each<Fault>(FAULTS)(
    "is answered by the handler when the store is %s at any step, and no client waits for a lease afterwards",
    async (fault) => {
      for (let at = 0; at < 8; at++) {
        const store = new FailingStore();
        await using cache = createCache({ connectionFactory: store, location: "memory:" });
        const app = new Hono();
        app.use(httpCache({ cache, app, ...LONG }));
        app.all("/", (c) => c.text("page", 200, headers));
        const ask = async (init?: RequestInit): Promise<[number, string]> => {
          const response = await app.request("/", init);
          return [response.status, await response.text()];
        };
        for (let i = 0; i < before; i++) await ask();
        await store.idle();
        store.fault = fault;
        store.at = store.count + at;
        expect(await ask(request)).toEqual([200, "page"]);
        await store.idle();
        store.at = Number.POSITIVE_INFINITY;
        const others = await Promise.all(Array.from({ length: CLIENTS }, () => ask()));
        expect(others, `at round trip ${at}`).toEqual(Array.from({ length: CLIENTS }, () => [200, "page"]));
      }
    },
  );
});
