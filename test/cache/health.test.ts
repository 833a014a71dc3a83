import { expect, it, vi } from "vitest";
import { createCache } from "../../src/index.js";
import { command } from "../support/command.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

it("tells how a store is that answers, that is gone, and that is back", async () => {
  await using server = await startValkey();
  await using cache = createCache({ location: server.url, commandTimeout: "200ms", connectTimeout: "200ms" });
  const well = await cache.health();
  expect(well).toEqual({ state: "closed", transport: "valkey-glide", roundTripMs: expect.any(Number) });
  expect(well.roundTripMs).toBeGreaterThan(0);
  await server.kill("SIGKILL");
  const gone = await until(async () => ((await cache.health()).state === "open" ? cache.health() : undefined), {
    what: "the breaker to open",
  });
  expect(gone).toMatchObject({ lastError: expect.objectContaining({ name: "ConnectionError" }) });
  expect(gone.roundTripMs).toBeUndefined();
  await server.restart();
  // Nothing but health() is called: it is what finds the server again.
  await until(async () => (await cache.health()).state === "closed", { what: "the breaker to close" });
});

it("costs far less than a millisecond per call while the store is gone", async () => {
  await using proxy = await startProxy({ port: 1 });
  proxy.refuse();
  await using cache = createCache({ location: proxy.url });
  const clock = vi.spyOn(Date, "now");
  await expect(cache.get("a")).rejects.toThrow();
  // The window that was just opened stays open: what is measured is refusals alone.
  clock.mockReturnValue(Date.now());
  const calls = 2_000;
  const startMs = performance.now();
  for (let i = 0; i < calls; i++) await cache.get("a").catch(() => {});
  expect((performance.now() - startMs) / calls).toBeLessThan(0.5);
});

it("reports what the server says when it refuses even a PING", async () => {
  await using server = await startValkey();
  await command(server.port, ["ACL", "SETUSER", "nobody", "on", ">x", "+get"]);
  const location = server.url.replace("//", "//nobody:x@");
  await using cache = createCache({ location });
  expect(await cache.health()).toMatchObject({ lastError: expect.objectContaining({ code: "NOPERM" }) });
});

it("is trivial for a cache in memory, and an error for one that was closed", async () => {
  const cache = createCache({ location: "memory:" });
  expect(await cache.health()).toEqual({ state: "closed", transport: "memory", roundTripMs: expect.any(Number) });
  await cache.close();
  await expect(cache.health()).rejects.toThrow(/closed/);
});
