import { trace } from "@opentelemetry/api";
import { expect, inject, it } from "vitest";
import { createCache, defaultClient, herd } from "../../src/index.js";
import { instrument } from "../../src/otel/index.js";
import { until } from "../support/wait.js";
import { startSdk } from "./sdk.js";

const valkeyUrl = inject("valkeyUrl");
const MARKER = "sesame";

it.each([
  ["defaultClient()", defaultClient()],
  ["herd()", herd({ grace: "1m" })],
])("no key, value, prefix, pattern or message of an error is exported by default, with %s", async (_name, client) => {
  await using sdk = startSdk();
  const cache = createCache({ location: valkeyUrl, keyPrefix: `p-${MARKER}`, client, logger: false });
  const end = instrument(cache, { name: "private" });
  const key = (name: string) => `${MARKER}-${process.pid}-${name}`;
  const fails = (work: Promise<unknown>) => expect(work).rejects.toThrow();

  await cache.set(key("a"), MARKER, { prefix: MARKER, ttl: 0.01 });
  await cache.getOrSet(key("b"), () => MARKER, { ttl: 0.01 });
  await cache.getOrSet(key("b"), () => MARKER);
  await cache.getMany([key("a"), key("b")]);
  await cache.getOrSetMany([key("a"), key("c")], (keys) => new Map(keys.map((one) => [one, MARKER])));
  await cache.setMany({ [key("d")]: MARKER });
  await cache.hashes.set(key("hash"), { [MARKER]: MARKER });
  await cache.hashes.get(key("hash"), MARKER);
  await cache.sets.add(key("set"), [MARKER]);
  await cache.keys(`${MARKER}*`);
  await cache.deletePattern(`${MARKER}-none*`);
  await cache.lock(key("lock"));
  await cache.ttl(key("a"));
  // Messages with keys, with values, and of the server.
  await fails(cache.incr(key("none")));
  await fails(cache.incr(key("d")));
  await fails(
    cache.getOrSet(key("e"), () => Promise.reject(Object.assign(new Error(MARKER), { name: `${MARKER} failed` }))),
  );
  await fails(cache.sets.add(key("hash"), [1]));
  await fails(cache.set(key("f"), () => MARKER));
  await fails(
    cache.getOrSet(
      key("g"),
      ({ signal }) => new Promise((_, no) => signal.addEventListener("abort", () => no(signal.reason))),
      { hardTimeout: 0.01 },
    ),
  );
  await cache.connection.send([["LPUSH", cache.makeKey(key("d")).toString(), MARKER]]);
  await cache.close();
  end();

  const exported = await until(() => sdk.exported(), { what: "the export" });
  expect(exported).toContain("cache.getOrSet");
  expect(exported).toContain("LoaderTimeoutError");
  expect(exported).not.toContain(MARKER);
});

it("a key is exported where the option keys shows it, and nowhere else", async () => {
  await using sdk = startSdk();
  await using cache = createCache({ location: valkeyUrl, keyPrefix: `shown-${process.pid}`, client: herd() });
  const end = instrument(cache, { name: "shown", keys: (key) => key });
  await trace.getTracer("application").startActiveSpan("request", async (request) => {
    await cache.getOrSet(MARKER, () => 1);
    request.end();
  });
  const stored = String(cache.makeKey(MARKER));
  const shown = sdk.spans().filter((span) => JSON.stringify([span.name, span.attributes]).includes(MARKER));
  expect(shown.map(({ name }) => name).sort()).toEqual(["cache.getOrSet", "cache.load"]);
  for (const { attributes } of shown) expect(attributes["cache.key"]).toEqual([stored]);
  end();
});
