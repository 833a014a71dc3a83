import { describe, expect, inject, it } from "vitest";
import { type CacheOptions, createCache, glide, json } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { command } from "../support/command.js";
import { runScript } from "../support/script.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

/** The number of connections at the server, without the one that asks. */
async function connections(port: number): Promise<number> {
  const list = String(await command(port, ["CLIENT", "LIST", "TYPE", "NORMAL"]));
  return list.trim().split("\n").length - 1;
}

/** A dial that takes long asks the server in another connection, which ends soon. */
const settleAt = (port: number, count: number) =>
  until(async () => (await connections(port)) === count, { what: `${count} connections` });

describe.concurrent("caches of one process", () => {
  it("share one connection when their settings are equal", async () => {
    await using server = await startValkey();
    const settings: Partial<CacheOptions>[] = [
      {},
      { keyPrefix: "other", ttl: 5 },
      { commandTimeout: 1 },
      { ttl: null, ignoreErrors: true, serializer: json() },
    ];
    const caches = settings.map((options) => createCache({ location: server.url, ...options }));
    expect(await connections(server.port)).toBe(0);
    await Promise.all(caches.map((cache) => cache.get("a")));
    await settleAt(server.port, 1);
    const [last, ...others] = caches;
    for (const cache of others) await cache.close();
    await last?.get("a");
    expect(await connections(server.port)).toBe(1);
    await last?.close();
    await settleAt(server.port, 0);
  });

  it("share one connection when their factories are equal or identical", async () => {
    await using server = await startValkey();
    const factory = glide();
    const factories = [factory, factory, glide(), glide({ commandTimeout: "1s", connectTimeout: 1 })];
    const caches = factories.map((connectionFactory) => createCache({ location: server.url, connectionFactory }));
    await Promise.all(caches.map((cache) => cache.get("a")));
    await settleAt(server.port, 1);
    await Promise.all(caches.map((cache) => cache.close()));
  });

  it("have separate connections when a setting differs, even with the same URL", async () => {
    await using server = await startValkey();
    await command(server.port, ["ACL", "SETUSER", "app", "on", ">pass", "+@all", "~*"]);
    const settings: Partial<CacheOptions>[] = [
      {},
      { commandTimeout: "2s" },
      { connectTimeout: "2s" },
      { maxIdle: "5m" },
      { username: "app", password: "pass" },
      { location: `${server.url}/1` },
      { location: `${server.url}?protocol=3` },
    ];
    const caches = settings.map((options) => createCache({ location: server.url, ...options }));
    await Promise.all(caches.map((cache) => cache.get("a")));
    await settleAt(server.port, settings.length);
    await Promise.all(caches.map((cache) => cache.close()));
  });

  it("open a connection again after the last one was closed", async () => {
    await using server = await startValkey();
    for (let i = 0; i < 3; i++) {
      await using cache = createCache({ location: server.url });
      expect(await cache.set("a", i)).toBe(true);
    }
  });
});

describe.concurrent("a process", () => {
  it("ends by itself once it has closed its cache", async () => {
    await using server = await startValkey();
    const { code, stdout, stderr } = await runScript(`
      const cache = lib.createCache({ location: ${JSON.stringify(server.url)} });
      await cache.set("a", 1);
      await Promise.all(Array.from({ length: 100 }, () => cache.incr("a")));
      console.log(await cache.get("a"));
      await cache.close();
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "101\n", stderr: "" });
  });

  it("ends by itself when its cache was never used", async () => {
    const { code } = await runScript(`lib.createCache({ location: "valkey://127.0.0.1:1" });`);
    expect(code).toBe(0);
  });

  it("ends by itself at the end of a block that used a cache", async () => {
    await using server = await startValkey();
    const { code, stdout } = await runScript(`
      async function main() {
        await using cache = lib.createCache({ location: ${JSON.stringify(server.url)} });
        console.log(await cache.getOrSet("a", () => "loaded"));
        await using lock = await cache.lock("job");
      }
      await main();
    `);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "loaded\n" });
  });

  it("ends by itself after its server was missing, without unhandled rejections or output", async () => {
    const { code, stdout, stderr } = await runScript(`
      const cache = lib.createCache({ location: "valkey://127.0.0.1:1", commandTimeout: 0.3, logger: false });
      const ends = await Promise.allSettled([
        ...Array.from({ length: 20 }, () => cache.get("a")),
        cache.getOrSet("b", () => 1),
        cache.keys(),
        cache.lock("job"),
      ]);
      cache.set("nobody waits", 1).catch(() => {});
      await cache.close();
      console.log(ends.filter(({ status }) => status === "rejected").length);
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "22\n", stderr: "" });
  });

  it("has no unhandled rejections while its server hangs, is killed and returns", async () => {
    await using server = await startValkey();
    const diary = Number(new URL(inject("valkeyUrl")).port);
    const keyPrefix = ownPrefix();
    const running = runScript(`
      const diary = lib.createCache({ location: ${JSON.stringify(inject("valkeyUrl"))}, keyPrefix: "${keyPrefix}" });
      const cache = lib.createCache({ location: ${JSON.stringify(server.url)}, commandTimeout: 0.2, logger: false, connectTimeout: 0.2 });
      const calls = () => [cache.get("a"), cache.incr("b", 1, { create: true }), cache.keys(), cache.getOrSet("c", () => 1)];
      for (const wanted of ["works", "fails", "works again"]) {
        for (;;) {
          const ends = await Promise.allSettled(calls());
          if (ends.some(({ status }) => status === "rejected") === (wanted === "fails")) break;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await diary.set(wanted, 1);
        console.log(wanted);
      }
      await Promise.all([cache.close(), diary.close()]);
    `);
    const reads = async (entry: string) => (await command(diary, ["EXISTS", `${keyPrefix}:1:${entry}`])) === 1;
    await until(() => reads("works"), { what: "the script to begin", timeoutMs: 20_000 });
    await server.kill("SIGSTOP");
    await until(() => reads("fails"), { what: "the script to notice", timeoutMs: 20_000 });
    await server.kill("SIGKILL");
    await server.restart();
    expect(await running).toEqual({ code: 0, stdout: "works\nfails\nworks again\n", stderr: "" });
  }, 60_000);

  it("does not load GLIDE before its first command", async () => {
    const { code, stdout } = await runScript(`
      const { createRequire } = await import("node:module");
      const loaded = () => Object.keys(createRequire("/").cache).filter((path) => path.includes("valkey-glide")).length > 0;
      const cache = lib.createCache({ location: "valkey://127.0.0.1:1" });
      console.log(loaded());
      await cache.get("a").catch(() => {});
      console.log(loaded());
      await cache.close();
    `);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "false\ntrue\n" });
  });
});
