import { expect, inject, it, vi } from "vitest";
import { createCache, herd } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { connectTo } from "./request.js";

const location = inject("valkeyUrl");

/** A cache of a user who may run no scripts. */
async function unscripted(user: string) {
  await using admin = connectTo(location);
  await admin.send([["ACL", "SETUSER", user, "on", ">x", "~*", "&*", "+@read", "+@write", "+@connection"]]);
  const warn = vi.fn<(text: string) => void>();
  const cache = createCache({
    location: location.replace("//", `//${user}:x@`),
    client: herd(),
    keyPrefix: ownPrefix(),
    logger: { warn },
  });
  return { cache, warn };
}

/** How often scripts were run or refused. */
async function scriptsRefused(): Promise<number> {
  await using admin = connectTo(location);
  const [reply] = await admin.send([["INFO", "commandstats"]]);
  const text = reply instanceof Uint8Array ? new TextDecoder().decode(reply) : String(reply);
  return Number(/cmdstat_eval:.*?rejected_calls=(\d+)/.exec(text)?.[1] ?? 0);
}

it("what a server refuses is remembered for later requests inside workerd, and warned about once", async () => {
  const { cache, warn } = await unscripted("workerd-one");
  const startMs = Date.now();
  {
    await using first = cache.for({});
    expect(await first.getOrSet("a", () => "loaded")).toBe("loaded");
  }
  const before = await scriptsRefused();
  for (let i = 0; i < 5; i++) {
    await using later = cache.for({});
    expect(await later.getOrSet(`key ${i}`, () => i)).toBe(i);
    expect(await later.getOrSet("a", () => "not called")).toBe("loaded");
  }
  expect(await scriptsRefused()).toBe(before);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(Date.now() - startMs).toBeLessThan(2_000);
});

it("health() returns transport, server, role, topology and what is refused inside workerd", async () => {
  const { cache } = await unscripted("workerd-two");
  await using own = cache.for({});
  await own.getOrSet("a", () => 1);
  expect(await own.health()).toEqual({
    state: "closed",
    transport: "iovalkey",
    server: "valkey",
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    role: "primary",
    topology: "standalone",
    unavailable: expect.arrayContaining(["EVAL"]),
    roundTripMs: expect.any(Number),
  });
});
