import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build as bundle } from "esbuild";
import { Hono, type MiddlewareHandler } from "hono";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { createCache } from "../../src/index.js";
import { build, manifest, root } from "../support/project.js";
import { runScript } from "../support/script.js";
import { startValkey } from "../support/servers.js";

/** Bundles of an application, beside the project's packages. Each evaluation is one more copy of the library. */
let folder: string;
beforeAll(async () => {
  await build();
  mkdirSync(join(root, ".cache"), { recursive: true });
  folder = mkdtempSync(join(root, ".cache", "copies-"));
  for (const [format, name] of [
    ["esm", "app.mjs"],
    ["cjs", "app.cjs"],
  ] as const) {
    await bundle({
      entryPoints: [join(root, "dist/index.js")],
      outfile: join(folder, name),
      bundle: true,
      minify: true,
      platform: "node",
      format,
      tsconfigRaw: {},
      logLevel: "error",
    });
  }
  const other = readFileSync(join(folder, "app.mjs"), "utf8").replaceAll(manifest.version, "99.0.0");
  writeFileSync(join(folder, "other.mjs"), other);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program that has the functions `copy`, `other` and `connections`. @returns what it printed */
async function run(url: string, program: string): Promise<unknown> {
  const { code, stdout, stderr } = await runScript(`
    const location = ${JSON.stringify(url)};
    const copy = (n) => import(${JSON.stringify(join(folder, "app.mjs"))} + "?" + n);
    const other = () => import(${JSON.stringify(join(folder, "other.mjs"))});
    const observer = lib.createCache({ location, keyPrefix: "observer", connectionFactory: lib.iovalkey() });
    const now = async () => {
      const [list] = await observer.connection.send([["CLIENT", "LIST", "TYPE", "NORMAL"]]);
      return new TextDecoder().decode(list).trim().split("\\n").length - 1;
    };
    // Those that stay: a dial that takes long asks the server in another connection, which ends soon.
    const connections = async () => {
      let least = await now();
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        least = Math.min(least, await now());
      }
      return least;
    };
    ${program}
    await observer.close();`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("copies of the library in one process", () => {
  it("share the connections of equal settings, which close with the last cache of all copies", async () => {
    await using server = await startValkey();
    const program = `
      const caches = [];
      for (let n = 0; n < 6; n++) {
        const { createCache } = await copy(n);
        const cache = createCache({ location });
        await cache.set("n", n);
        caches.push(cache);
      }
      const counts = [await connections()];
      await Promise.all(caches.slice(1).map((cache) => cache.close()));
      counts.push(await connections(), await caches[0].get("n"));
      await caches[0].close();
      while ((await connections()) > 0);
      console.log(JSON.stringify(counts));`;
    expect(await run(server.url, program)).toEqual([1, 1, 5]);
  });

  it("recognise each other's errors, also as a reason to answer from the loader", async () => {
    await using server = await startValkey();
    const program = `
      const [first, last] = [await copy("first"), await copy("last")];
      const [opener, cache] = [first, last].map(({ createCache }) => createCache({ location, logger: false }));
      await opener.set("text", "a");
      const [reply] = await cache.connection.send([["LPUSH", ":1:text", "a"]]);
      class Own extends last.ReplyError {}
      const seen = [
        reply instanceof first.ReplyError, reply instanceof last.ReplyError, reply instanceof last.CacheError,
        reply instanceof last.ConnectionError, reply instanceof Own, new Own("ERR", "own") instanceof last.ReplyError,
        new TypeError() instanceof last.CacheError, new Own("ERR", "own") instanceof Own,
      ];
      observer.connection.send([["SHUTDOWN", "NOSAVE"]]).catch(() => {});
      let lost;
      while (!lost) lost = await cache.get("text").then(() => undefined, (error) => error);
      seen.push(lost instanceof last.ConnectionError, await cache.getOrSet("other", () => "loaded"));
      await Promise.all([opener.close(), cache.close()]);
      console.log(JSON.stringify(seen));`;
    const replies = [true, true, true, false, false, true, false, true];
    expect(await run(server.url, program)).toEqual([...replies, true, "loaded"]);
  });

  it("distinguish functions of the application", async () => {
    await using server = await startValkey();
    const program = `
      const { connect } = await import("node:net");
      const { Duplex } = await import("node:stream");
      const caches = [];
      for (let n = 0; n < 2; n++) {
        const { createCache, iovalkey } = await copy(n);
        const connector = ({ host, port }) => Duplex.toWeb(connect({ host, port }));
        const cache = createCache({ location, connectionFactory: iovalkey({ connector }) });
        await cache.set("n", n);
        caches.push(cache);
      }
      console.log(JSON.stringify(await connections()));
      await Promise.all(caches.map((cache) => cache.close()));`;
    expect(await run(server.url, program)).toBe(2);
  });

  it("share nothing with another version", async () => {
    await using server = await startValkey();
    const program = `
      const caches = [await copy("one"), await other()].map(({ createCache }) => createCache({ location }));
      for (const cache of caches) await cache.set("a", 1);
      console.log(JSON.stringify(await connections()));
      await Promise.all(caches.map((cache) => cache.close()));`;
    expect(await run(server.url, program)).toBe(2);
  });

  it("leave one connection, and the code of no other copy, when they are replaced without being closed", async () => {
    await using server = await startValkey();
    const program = `
      const { readFileSync } = await import("node:fs");
      const { createRequire } = await import("node:module");
      const { setFlagsFromString } = await import("node:v8");
      const { runInNewContext } = await import("node:vm");
      setFlagsFromString("--expose-gc");
      const gc = runInNewContext("gc");
      const path = ${JSON.stringify(join(folder, "app.cjs"))};
      const code = readFileSync(path, "utf8");
      const replaced = [];
      async function reload(n) {
        const module = { exports: {} };
        new Function("module", "exports", "require", "__filename", code)(module, module.exports, createRequire(path), path);
        const cache = module.exports.createCache({ location });
        await cache.set("n", n);
        replaced.push(new WeakRef(module.exports.createCache));
      }
      for (let n = 0; n < 6; n++) await reload(n);
      // The first one has opened the connection, and is needed for it.
      while (replaced.slice(1).some((one) => one.deref())) {
        // What was looked at is kept until the next turn.
        await new Promise((resolve) => setTimeout(resolve, 10));
        gc();
      }
      console.log(JSON.stringify(await connections()));
      // The connection keeps the process alive.
      await observer.close();
      process.exit();`;
    expect(await run(server.url, program)).toBe(1);
  });
});

describe("several copies of the middleware for Hono", () => {
  it("each know the paths of mounts, so that applications side by side share no keys, and the caches around them", async () => {
    const file = join(folder, "hono.mjs");
    const entry = join(root, "dist/hono/index.js");
    await bundle({
      entryPoints: [entry],
      outfile: file,
      bundle: true,
      format: "esm",
      external: ["hono"],
      tsconfigRaw: {},
    });
    const cache = createCache({ location: "memory:" });
    onTestFinished(() => cache.close());
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    let outside: MiddlewareHandler | undefined;
    for (const n of [1, 2, 3]) {
      const { httpCache }: typeof import("../../src/hono/index.js") = await import(`${pathToFileURL(file).href}?${n}`);
      const mounted = (name: string) => {
        const inner = new Hono().use(httpCache({ cache, cacheName: `copy-${n}`, awaitBackground: true }));
        return inner.get("/x", (c) => c.text(name, 200, { "Cache-Control": "max-age=60" })).fetch;
      };
      const app = new Hono().mount("/a", mounted("a")).mount("/b", mounted("b"));
      const ask = async (path: string) => (await app.request(path)).text();
      expect([await ask("/a/x"), await ask("/b/x"), await ask("/a/x")], `copy ${n}`).toEqual(["a", "b", "a"]);

      // A cache inside one of another copy with the same keys would wait for the response that the outer one waits for.
      const middleware = httpCache({ cache, cacheName: "nested", awaitBackground: true });
      const inner = new Hono()
        .use(middleware)
        .get("/x", (c) => c.text("inner", 200, { "Cache-Control": "max-age=60" }));
      warn.mockClear();
      if (outside) {
        const nested = new Hono().use(outside).mount(`/nested-${n}`, inner.fetch);
        expect(await (await nested.request(`/nested-${n}/x`)).text()).toBe("inner");
        expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("is registered twice"));
      }
      outside = middleware;
    }
  });
});
