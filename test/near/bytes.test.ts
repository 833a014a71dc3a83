import { randomUUID } from "node:crypto";
import { expect, inject, it } from "vitest";
import { createCache, iovalkey, nearCache } from "../../src/index.js";

const READ = { readOnly: true };

it.each([
  ["valkey-glide", undefined],
  ["iovalkey", iovalkey()],
])("keeps bytes of its own, and gives each reader of them a copy, over %s", async (_name, connectionFactory) => {
  await using cache = createCache({
    location: inject("valkeyUrl"),
    keyPrefix: randomUUID(),
    connectionFactory,
    nearCache: nearCache({ invalidation: "ttl", maxStaleness: "1m" }),
  });
  await cache.set("a", "text");
  const key = String(cache.makeKey("a"));
  const texts = [];
  for (let reads = 0; reads < 3; reads++) {
    const [[stored = null] = [], many = null] = [
      await cache.shared.send([["GET", key]], READ),
      (await cache.shared.send([["MGET", key]], READ))[0],
    ];
    for (const bytes of [stored, Array.isArray(many) ? many[0] : null]) {
      if (!(bytes instanceof Uint8Array)) throw new Error("the reply is not in bytes");
      texts.push(new TextDecoder().decode(bytes));
      bytes.fill(0);
    }
  }
  expect(new Set(texts)).toEqual(new Set(['"text"']));
  const { buffer } = (cache.shared.near?.recall(key)?.stored ?? "") as Uint8Array;
  expect(buffer.byteLength).toBe('"text"'.length);
});
