import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCache } from "valkey-edge-cache";
import { incrementalCacheHandler, useCacheHandler } from "valkey-edge-cache/next";
import Ready from "valkey-edge-cache/next/incremental";
import ready from "valkey-edge-cache/next/use-cache";
import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { startValkey } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";
import { all, entry, Fleet, text } from "./fleet.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("the store down", () => {
  it("each call ends within commandTimeout, the ones after it at once, errors are reported, and purges are sent later", async () => {
    await using server = await startValkey();
    const errors: unknown[] = [];
    const options = { location: server.url, commandTimeout: 0.3, connectTimeout: 0.3 };
    await using cache = createCache({ ...options, onError: (error) => errors.push(error) });
    await using other = createCache({ ...options, logger: false });
    const [a, b] = [cache, other].map((one) => useCacheHandler({ cache: one, buildId: "build" }));
    if (!a || !b) throw new Error("there are two");
    await a.get("key", []);
    await a.set("key", entry("1", { tags: ["news"] }));
    expect(await text(await b.get("key", []))).toBe("1");
    await server.kill("SIGSTOP");
    const timed = async (work: () => Promise<unknown>) => {
      const took = stopwatch();
      await work();
      return took();
    };
    expect(await timed(() => a.get("key", []))).toBeLessThan(600);
    expect(await timed(() => a.set("key", entry("2")))).toBeLessThan(100);
    expect(await timed(() => a.get("other", []))).toBeLessThan(100);
    expect(await timed(() => a.updateTags(["news"]))).toBeLessThan(600);
    expect(errors.length).toBeGreaterThan(0);
    await server.kill("SIGCONT");
    // Without the purge both would go on to find the first entry.
    const isReplaced = async () => {
      if (!(await b.get("key", []))) await b.set("key", entry("3"));
      return (await text(await a.get("key", []))) === "3";
    };
    await until(isReplaced, { what: "the purge and the store" });
  });
});

describe("next build", () => {
  it("opens no connection, finds nothing and stores nothing", async () => {
    vi.stubEnv("NEXT_PHASE", "phase-production-build");
    vi.stubEnv("VALKEY_URL", inject("valkeyUrl"));
    await using cache = createCache({ location: inject("valkeyUrl") });
    for (const handler of [ready, useCacheHandler({ cache })]) {
      expect(await handler.get("key", [])).toBeUndefined();
      const given = await entry("1");
      await handler.set("key", Promise.resolve(given));
      // Read, or ended, so that Next need not keep it.
      expect(given.value.locked || (await given.value.getReader().read()).done).toBe(true);
      await handler.updateTags(["news"]);
    }
    for (const Handler of [Ready, incrementalCacheHandler({ cache })]) {
      const handler = new Handler({});
      expect(await handler.get("/a", { kind: "APP_PAGE" })).toBeNull();
      await handler.set("/a", null, {});
      await handler.revalidateTag("news");
    }
    expect(cache.events.sent.roundTrips).toBe(0);
  });
});

describe("the environment", () => {
  it("without VALKEY_URL there is a warning when a handler is first used, and nothing is cached", async () => {
    const warnings: string[] = [];
    const listen = ({ message }: Error) => void warnings.push(message);
    process.on("warning", listen);
    vi.stubEnv("VALKEY_URL", "");
    expect(await ready.get("key", [])).toBeUndefined();
    await ready.set("key", entry("1"));
    expect(await new Ready({}).get("/a", { kind: "APP_PAGE" })).toBeNull();
    await until(() => warnings.length === 2, { what: "the warnings" });
    process.off("warning", listen);
    expect(warnings).toEqual(
      ["use-cache", "incremental"].map(
        (name) =>
          `valkey-edge-cache/next/${name}: VALKEY_URL is not set; give a location such as "valkey://localhost:6379". Until then nothing is cached`,
      ),
    );
  });

  it("names the store of both handlers, and the build is the one of the folder", async () => {
    await using fleet = new Fleet();
    const distDir = mkdtempSync(join(tmpdir(), "next-"));
    writeFileSync(join(distDir, "BUILD_ID"), "of the folder\n");
    vi.stubEnv("VALKEY_URL", inject("valkeyUrl"));
    vi.stubEnv("VALKEY_KEY_PREFIX", fleet.keyPrefix);
    try {
      const pages = new Ready({ serverDistDir: join(distDir, "server") });
      await pages.set("/a", null, {});
      await ready.set("key", entry("1"));
      const keys = await all(fleet.cache().iterKeys("next(*"));
      expect(keys.map((key) => key.replace(/use:.*/, "use"))).toEqual(
        expect.arrayContaining(["next(of the folder):page:/a", "next(of the folder):use"]),
      );
    } finally {
      rmSync(distDir, { recursive: true });
    }
  });
});

describe("options", () => {
  it("that are wrong are refused when the handler is made", () => {
    expect(() => useCacheHandler({ location: "memory:", generationTimeout: 0 })).toThrow(
      'useCacheHandler: option "generationTimeout" is 0; give a duration above 0',
    );
    const unknown = { location: "memory:", builds: 1 };
    expect(() => incrementalCacheHandler(unknown)).toThrow(
      /^incrementalCacheHandler: unknown option "builds"; known options are: .*keepBuilds/,
    );
  });

  it("that are equal share one store in a process", async () => {
    const options = { location: "memory:", buildId: "shared" };
    const [a, b] = [useCacheHandler(options), useCacheHandler({ ...options })];
    await a.set("key", entry("1"));
    expect(await text(await b.get("key", []))).toBe("1");
    expect(await useCacheHandler({ ...options, keyPrefix: "other" }).get("key", [])).toBeUndefined();
  });
});

describe("builds", () => {
  it("the entries of a build without requests are deleted by another one, and those of one that has some stay", async () => {
    await using fleet = new Fleet();
    const cache = fleet.cache();
    const keepBuilds = 0.4;
    const [old, used, fresh] = ["a", "a)", "b"].map((buildId) => fleet.use({ buildId, keepBuilds }));
    if (!old || !used || !fresh) throw new Error("there are three");
    for (const one of [old, used]) {
      await one.get("key", []);
      await one.set("key", entry("1"));
    }
    const builds = async () =>
      new Set((await all(cache.iterKeys("next(*"))).map((key) => key.slice(0, key.indexOf(":"))));
    expect(await builds()).toEqual(new Set(["next(a)", "next(a%29)"]));
    await until(
      async () => {
        await Promise.all([used.get("key", []), fresh.get("key", [])]);
        return !(await builds()).has("next(a)");
      },
      { what: "the end of the old build", everyMs: 50 },
    );
    expect(await text(await used.get("key", []))).toBe("1");
    expect(await old.get("key", [])).toBeUndefined();
  });
});
