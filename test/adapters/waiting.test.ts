import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Cache, createCache, iovalkey } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { deferred } from "../support/deferred.js";
import { freePort } from "../support/ports.js";
import { until } from "../support/wait.js";
import type { Handler } from "./host.js";
import { HTTP_HOSTS } from "./hosts.js";
import { FRESH, newCache, text } from "./replies.js";

const CLIENTS = 20;

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

describe.each(HTTP_HOSTS)("requests for one URL through $name", (host) => {
  /** A handler whose first run ends when the test lets it. */
  function gated(answer: (run: number) => Response) {
    const gate = deferred();
    const state = { runs: 0, open: () => gate.resolve() };
    const handler: Handler = async () => {
      const run = ++state.runs;
      if (run === 1) await gate.promise;
      return answer(run);
    };
    return { state, handler };
  }

  it("wait for one run of the handler, HEAD among them", async () => {
    const { state, handler } = gated((run) => text(`page ${run}`, 200, FRESH));
    await using opened = await host.open({ cache, handler, options: { waitTimeout: "1h", lease: "1h" } });
    const first = opened.send();
    await until(() => state.runs === 1, { what: "the handler" });
    const others = Array.from({ length: CLIENTS }, () => opened.send());
    const head = opened.send({ method: "HEAD" });
    state.open();
    for (const { body } of [await first, ...(await Promise.all(others))]) expect(body).toBe("page 1");
    expect(await head).toMatchObject({ status: 200, body: "" });
    expect(state.runs).toBe(1);
  });

  it("go to the handler together where its response can't be stored", async () => {
    const { state, handler } = gated((run) => text(`page ${run}`, 200, { "cache-control": "no-store" }));
    await using opened = await host.open({ cache, handler, options: { waitTimeout: "1h", lease: "1h" } });
    const first = opened.send();
    await until(() => state.runs === 1, { what: "the handler" });
    const others = Array.from({ length: CLIENTS }, () => opened.send());
    state.open();
    const bodies = (await Promise.all([first, ...others])).map(({ body }) => body);
    expect(new Set(bodies).size).toBe(1 + CLIENTS);
  });

  it("wait for no request of another client with credentials or cookies", async () => {
    const { state, handler } = gated((run) => text(`page ${run}`, 200, FRESH));
    await using opened = await host.open({ cache, handler, options: { waitTimeout: "1h", lease: "1h" } });
    const first = opened.send({ fields: { cookie: "a=b" } });
    await until(() => state.runs === 1, { what: "the handler" });
    expect((await opened.send()).body).toBe("page 2");
    expect((await opened.send({ fields: { authorization: "a" } })).status).toBe(200);
    state.open();
    expect((await first).body).toBe("page 1");
  });
});

it.each(HTTP_HOSTS)("clients of $name get what the handler makes while there is no store", async (host) => {
  await using gone = createCache({
    location: `valkey://127.0.0.1:${await freePort()}`,
    keyPrefix: ownPrefix(),
    // valkey-glide ends its attempts to connect a while after it is closed.
    connectionFactory: iovalkey({ commandTimeout: "200ms" }),
    onError: () => {},
  });
  let runs = 0;
  const handler: Handler = ({ method }) => text(method === "HEAD" ? null : `page ${++runs}`, 200, FRESH);
  await using opened = await host.open({ cache: gone, handler });
  for (let i = 1; i <= 2; i++) expect(await opened.send()).toMatchObject({ status: 200, body: `page ${i}` });
  expect(await opened.send({ method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  expect(await opened.send({ method: "POST", body: "x" })).toMatchObject({ status: 200, body: "page 3" });
  expect(opened.errors.length).toBeGreaterThan(0);
  await expect(opened.purgeTags(["a"])).rejects.toThrow();
});
