import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { createCache, glide, iovalkey } from "../../src/index.js";
import { Site } from "../contract/http/site.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";

const FRESH = { "cache-control": "max-age=60" };

let server: ValkeyServer;
beforeAll(async () => {
  server = await startValkey();
  await command(server.port, ["ACL", "SETUSER", "plain", "on", ">x", "~*", "&*", "+@read", "+@write", "+@connection"]);
});
afterAll(() => server?.stop());

/** The HTTP cache of a user who may run no scripts, in a process of its own. */
function site(connectionFactory: typeof glide | typeof iovalkey, commandTimeout: `${number}ms`) {
  const warn = vi.fn<(text: string) => void>();
  const cache = createCache({
    location: server.url.replace("//", "//plain:x@"),
    connectionFactory: connectionFactory({ commandTimeout }),
    keyPrefix: `unavailable-${Math.random()}`,
    logger: { warn },
  });
  onTestFinished(() => cache.close());
  return { site: new Site(cache).answers(FRESH, "page"), warn, cache };
}

describe.each([
  ["GLIDE", glide],
  ["iovalkey", iovalkey],
] as const)("the HTTP cache over %s, for a user who may run no scripts", (_name, factory) => {
  it("answers from the handler at once, stores nothing, and says so once", async () => {
    const { site: one, warn, cache } = site(factory, "901ms");
    const errors: string[] = [];
    cache.on("error", ({ method, kind }) => errors.push(`${method}: ${kind}`));
    const took = stopwatch();
    for (let i = 0; i < 4; i++)
      expect(await one.get({}, "GET", `http://shop.example/${i % 2}`)).toMatchObject({ status: 200, body: "page" });
    expect(took()).toBeLessThan(1_000);
    expect(one.asked).toHaveLength(4);
    expect(await cache.connection.send([["DBSIZE"]])).toEqual([0]);
    expect(warn).toHaveBeenCalledTimes(1);
    // One for each call of the HTTP cache's own onError.
    expect(errors).toEqual(one.errors.map(() => "http: reply"));
    expect(errors).not.toEqual([]);
    expect(warn.mock.calls[0]?.[0]).toMatch(/ACL SETUSER plain \+eval \+evalsha.*the HTTP cache stores no responses/);
  });

  it("lets concurrent requests for one URL wait for no lease", async () => {
    const { site: one } = site(factory, "902ms");
    const took = stopwatch();
    const answers = await Promise.all(Array.from({ length: 10 }, () => one.get()));
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: "page" });
    expect(took()).toBeLessThan(1_000);
  });
});
