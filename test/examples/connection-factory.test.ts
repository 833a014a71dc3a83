import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { type RoundTrip, timed } from "../../examples/connection-factory/timed.js";
import { PROCESS } from "../../src/core/connection.js";
import { parseLocation } from "../../src/core/location.js";
import { createCaches, glide, memory } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { connectionContract } from "../contract/connection.js";
import { blocksOf } from "../support/markdown.js";
import { root } from "../support/project.js";

connectionContract("a connection of one's own", async () => {
  const factory = timed(memory(), () => {});
  const connect = () => factory.connect(parseLocation("memory:"), PROCESS);
  const connection = connect();
  return { connection, other: async () => connect(), stop: () => connection.close() };
});

it("serves all caches, except those that have another factory", async () => {
  const roundTrips: RoundTrip[] = [];
  await using caches = createCaches(
    {
      pages: { location: inject("valkeyUrl"), keyPrefix: ownPrefix() },
      drafts: { location: "memory:", connectionFactory: memory() },
    },
    { connectionFactory: timed(glide(), (roundTrip) => roundTrips.push(roundTrip)) },
  );
  await caches.pages.set("a", 1);
  expect(await caches.pages.get("a")).toBe(1);
  await caches.drafts.set("a", 1);
  expect(roundTrips).toEqual([
    { commands: 1, ms: expect.any(Number), failed: false },
    { commands: 1, ms: expect.any(Number), failed: false },
  ]);
  expect((await caches.pages.health()).state).toBe("closed");
});

it("is what the documentation shows", () => {
  const file = readFileSync(join(root, "examples/connection-factory/timed.ts"), "utf8");
  const shown = blocksOf(readFileSync(join(root, "docs/reliability.md"), "utf8")).map(({ code }) => code);
  expect(shown).toContain(file);
});
