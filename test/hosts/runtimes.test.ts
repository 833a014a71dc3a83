import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Consumer, consumerOfPacked } from "../support/packed.js";
import { output, runtime } from "../support/project.js";

/** What a small application does, on whatever transport its runtime can have. */
const APPLICATION = `
  import { AsyncLocalStorage } from "node:async_hooks";
  import { subscribe, tracingChannel } from "node:diagnostics_channel";
  import { createCache, herd, memory, nearCache } from "valkey-edge-cache";
  import { structuredClone } from "valkey-edge-cache/structured-clone";

  const misses = [];
  subscribe("valkey-edge-cache:miss", ({ cache, method, shared }) => misses.push([cache, method, shared]));
  const storage = new AsyncLocalStorage();
  tracingChannel("valkey-edge-cache:load").start.bindStore(storage, ({ kind }) => kind);
  const [runtime, location] = process.argv.slice(2);
  const options = { keyPrefix: "runtime-" + runtime, ttl: "1m" };
  const cache = createCache({ location, ...options });
  await cache.clear();
  await cache.set("city", { name: "Bern" });
  const city = await cache.get("city");
  const herded = createCache({ location, client: herd(), ...options });
  let loads = 0;
  let traced;
  const load = async () => {
    traced = storage.getStore();
    return ++loads;
  };
  const loaded = await Promise.all([herded.getOrSet("n", load), herded.getOrSet("n", load), herded.getOrSet("n", load)]);
  const near = createCache({ location, ...options, nearCache: nearCache({ maxStaleness: "1h" }) });
  let sent = 0;
  near.on("roundTrip", () => sent++);
  await near.set("near", 1);
  for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 5))) {
    before = sent;
    await near.get("near");
  }
  const ended = new Promise((resolve) => near.on("invalidate", resolve));
  await herded.connection.send([["SET", "runtime-" + runtime + ":1:near", "2"]]);
  await ended;
  const heard = await near.get("near");
  const { nearCache: listener } = await near.health();
  await near.close();
  const again = await herded.getOrSet("n", load);
  const [info] = await cache.connection.send([["CLIENT", "INFO"]]);
  await herded.close();
  await cache.close();
  await using inMemory = createCache({ location: "memory:" });
  await inMemory.set("city", city);
  const secret = { inside: new (class { #value = 1; })() };
  let refusal;
  try { structuredClone().serialize(secret); } catch (error) { refusal = error.message; }
  const client = /lib-name=Glide/.test(new TextDecoder().decode(info)) ? "GLIDE" : "iovalkey";
  const remembered = await inMemory.get("city");
  console.log(JSON.stringify({ city, loaded, again, remembered, refusal, client, misses, traced, heard, listener }));
`;

/** What an application does that may not do much. */
const PERMISSIONS = `
  import { createCache } from "valkey-edge-cache";

  const [, , location] = process.argv;
  await using cache = createCache({ location, keyPrefix: "permissions" });
  await cache.set("city", "Bern");
  console.log(JSON.stringify([await cache.get("city"), (await cache.health()).transport]));
`;

/** The HTTP cache before a handler, and behind calls to a server that redirects and compresses. */
const WEB = `
  import { createServer } from "node:http";
  import { gzipSync } from "node:zlib";
  import { createCache } from "valkey-edge-cache";
  import { cachedFetch, cachedHandler } from "valkey-edge-cache/fetch";

  const [runtime, location] = process.argv.slice(2);
  const cache = createCache({ location, keyPrefix: "web-" + runtime });
  await cache.clear();
  const asked = [];
  const site = createServer((request, response) => {
    asked.push(request.url);
    if (request.url === "/late") return;
    const fields = { "cache-control": "max-age=60", "content-type": "application/json" };
    if (request.url === "/old") return response.writeHead(301, { ...fields, location: "/new" }).end();
    response.writeHead(200, { ...fields, "content-encoding": "gzip", vary: "accept-encoding" });
    response.end(gzipSync(JSON.stringify({ n: asked.length })));
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  const url = "http://127.0.0.1:" + site.address().port;
  const fetch = cachedFetch({ cache });
  const how = (response) => response.headers.get("cache-status").replace(/^.*?; /, "").replace(/\\d+/, "n");
  const got = [];
  for (let i = 0; i < 2; i++) {
    const response = await fetch(url + "/old", { signal: new AbortController().signal });
    const { status, redirected, type } = response;
    const coding = response.headers.get("content-encoding");
    got.push([response.url.replace(url, ""), status, redirected, type, coding, await response.clone().json()]);
  }
  const late = await fetch(url + "/late", { signal: AbortSignal.timeout(50) }).catch((error) => error.name);
  const absent = await fetch(url + "/absent", { cache: "only-if-cached" }).catch((error) => error.name);
  let runs = 0;
  const options = { cache, cacheControl: "max-age=60", onError: console.error };
  const handler = cachedHandler(async (request) => new Response(request.url + ++runs), options);
  const answers = [];
  for (let i = 0; i < 2; i++) {
    const response = await handler(new Request("https://shop.example/"));
    answers.push([await response.text(), how(response).replace("; stored", "")]);
  }
  site.close();
  site.closeAllConnections();
  await cache.close();
  console.log(JSON.stringify({ got, asked, late, absent, answers }));
`;

const RUNTIMES: Record<string, { program: string; args: string[] }> = {
  node: { program: "node", args: [] },
  bun: { program: "bun", args: ["run"] },
  deno: { program: "deno", args: ["run", "--allow-all", "--quiet", "--no-config", "--node-modules-dir=manual"] },
};

describe("the packed package", () => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await consumerOfPacked();
    consumer.write("application.js", APPLICATION);
    consumer.write("web.js", WEB);
  }, 120_000);
  afterAll(() => consumer[Symbol.dispose]());

  it.for([
    { to: "load native code", more: [], reason: /lacks a permission \(Requires \w+ access .*--allow-\w+/ },
    {
      to: "write to the temporary folder",
      more: ["--allow-ffi", "--allow-sys"],
      reason: /run again with the --allow-write flag/,
    },
  ])(
    "caches over iovalkey on Deno without the permission to $to, says why, and ends",
    async ({ more, reason }, { skip }) => {
      const path = await runtime("deno");
      skip(path === undefined, "deno has no package for this platform");
      consumer.write("permissions.js", PERMISSIONS);
      const permissions = ["--no-prompt", "--allow-net", "--allow-env", "--allow-read", ...more];
      const args = ["run", ...permissions, "--quiet", "--no-config", "--node-modules-dir=manual"];
      const program = [...args, "permissions.js", inject("valkeyUrl")];
      // Warnings go to standard error.
      const printed = await output("sh", ["-c", 'exec "$@" 2>&1', "sh", path ?? "", ...program], consumer.folder);
      const [warning = "", answer = ""] = printed.trim().split("\n");
      expect(warning).toMatch(/ValkeyEdgeCacheWarning: .* is reached over iovalkey instead of valkey-glide/);
      expect(warning).toMatch(reason);
      expect(JSON.parse(answer)).toEqual(["Bern", "iovalkey"]);
    },
  );

  it.for(Object.entries(RUNTIMES))(
    "keeps the responses of handlers and of calls on %s",
    async ([name, { program, args }], { skip }) => {
      const path = await runtime(program);
      skip(path === undefined, `${program} has no package for this platform`);
      const printed = await output(path ?? "", [...args, "web.js", name, inject("valkeyUrl")], consumer.folder);
      const page = ["/new", 200, true, "basic", null, { n: 2 }];
      expect(JSON.parse(printed)).toEqual({
        got: [page, page],
        asked: ["/old", "/new", "/late"],
        late: "TimeoutError",
        absent: "TypeError",
        answers: [
          ["https://shop.example/1", "fwd=uri-miss"],
          ["https://shop.example/1", "hit; ttl=n"],
        ],
      });
    },
  );

  it.for(Object.entries(RUNTIMES))("caches on %s, and ends", async ([name, { program, args }], { skip }) => {
    const path = await runtime(program);
    skip(path === undefined, `${program} has no package for this platform`);
    const printed = await output(path ?? "", [...args, "application.js", name, inject("valkeyUrl")], consumer.folder);
    expect(JSON.parse(printed)).toEqual({
      city: { name: "Bern" },
      loaded: [1, 1, 1],
      again: 1,
      remembered: { name: "Bern" },
      refusal: expect.stringMatching(/\(at inside\) can't be cloned/),
      client: expect.stringMatching(/^(GLIDE|iovalkey)$/),
      misses: [false, true, true].map((shared) => [`runtime-${name}`, "getOrSet", shared]),
      traced: "load",
      heard: 2,
      listener: expect.objectContaining({ invalidation: "tracking", listening: true }),
    });
  });
});
