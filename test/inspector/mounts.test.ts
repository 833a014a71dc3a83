import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import express from "express";
import express4 from "express-4";
import { Hono } from "hono";
import { describe, expect, it, onTestFinished } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import { type InspectorOptions, inspector } from "../../src/inspector/index.js";
import { everyone, listen, openCache, pageFields, serveInspector, watchLive } from "./app.js";

type Mount = (options: InspectorOptions) => Promise<string>;

/** Serves a handler of Node's. */
async function serveNode(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Each returns the URL of the mount, without a slash at its end. */
const MOUNTS: Readonly<Record<string, Mount>> = {
  "app.route of Hono": async (options) => {
    const app = new Hono().route("/cache", inspector(options));
    return `${await listen(app.fetch)}/cache`;
  },
  "app.route below another one, with a parameter": async (options) => {
    const inner = new Hono().route("/cache", inspector(options));
    const app = new Hono().route("/of/:tenant", inner);
    return `${await listen(app.fetch)}/of/7/cache`;
  },
  "app.mount of Hono": async (options) => {
    const app = new Hono().mount("/cache", inspector(options).fetch);
    return `${await listen(app.fetch)}/cache`;
  },
  "a handler of web requests that keeps the path": async (options) => {
    const { fetch } = inspector(options);
    return `${await listen((request) => fetch(request))}/some/where`;
  },
  "a path of its own server": async (options) => listen(inspector(options).fetch),
  "Express 5": async (options) => {
    const app = express();
    app.use("/cache", getRequestListener(inspector(options).fetch));
    return `${await serveNode(app)}/cache`;
  },
  "Express 4": async (options) => {
    const app = express4();
    app.use("/cache", getRequestListener(inspector(options).fetch));
    return `${await serveNode(app)}/cache`;
  },
};

describe.each(Object.entries(MOUNTS))("an inspector at %s", (_name, mount) => {
  it("has its page with and without a slash, and all routes below it", async () => {
    const cache = openCache();
    await cache.set("a", 1);
    const base = await mount({ cache, authorize: everyone, allowChanges: true });
    const page = await fetch(`${base}/`);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=UTF-8"]);
    const html = await page.text();
    const nonce = /script-src 'nonce-([^']+)'/.exec(page.headers.get("content-security-policy") ?? "")?.[1];
    expect(nonce).toMatch(/^[\w+/]{24}$/);
    expect(html).toContain(`<script nonce="${nonce}">`);
    expect(html).not.toContain("__NONCE__");
    // Where the server can't tell them apart, the page adds the slash itself.
    const bare = await fetch(`${base}?a=1`, { redirect: "manual" });
    if (bare.status === 302) {
      expect(new URL(bare.headers.get("location") ?? "", `${base}?a=1`).href).toBe(`${base}/?a=1`);
    } else expect(await bare.text()).toContain('location.replace(location.pathname+"/"');
    expect((await fetch(`${base}/api/info`)).status).toBe(200);
    await using live = await watchLive(base);
    expect(await live.next()).toMatchObject({ process: { breaker: "closed" } });
    const headers = await pageFields(base);
    const body = JSON.stringify({ by: "key", key: "a" });
    expect((await fetch(`${base}/api/purge`, { method: "POST", headers, body })).status).toBe(200);
    expect((await fetch(`${base}/api/other`)).status).toBe(404);
    expect((await fetch(`${base}/favicon.ico`)).status).toBe(404);
  });
});

describe("the responses of the inspector", () => {
  const PATHS = ["/", "/api/info", "/api/keys", "/api/entry?key=a", "/api/live", "/api/nothing", "/favicon.ico"];

  it.each(PATHS)("have the fields that keep a browser safe, at %s", async (path) => {
    const base = await serveInspector({ cache: openCache() });
    const response = await fetch(`${base}/cache${path}`);
    const fields = Object.fromEntries(response.headers);
    await response.body?.cancel();
    expect(fields).toMatchObject({
      "cache-control": expect.stringMatching(/^no-store/),
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    expect(Object.keys(fields).filter((name) => name.startsWith("access-control-"))).toEqual([]);
    const policy = fields["content-security-policy"] ?? "";
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]) {
      expect(policy).toContain(part);
    }
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  it("have no markup in JSON, whatever is in a key", async () => {
    const base = await serveInspector({ cache: openCache() });
    const response = await fetch(
      `${base}/cache/api/entry?key=${encodeURIComponent("</script><script>alert(1)</script>")}`,
    );
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await response.text()).not.toContain("<");
  });

  it("have another nonce each time", async () => {
    const base = await serveInspector({ cache: openCache() });
    const policies = await Promise.all(
      [1, 2].map(async () => (await fetch(`${base}/cache/`)).headers.get("content-security-policy")),
    );
    expect(policies[0]).not.toBe(policies[1]);
  });

  it("are stored by no HTTP cache in front of it", async () => {
    const cache = openCache();
    const app = new Hono();
    app.use("*", httpCache({ cache }));
    let asked = 0;
    const authorize = (): boolean => ++asked > 0;
    app.route("/cache", inspector({ cache, authorize }));
    app.get("/stored", (c) => c.text(String(++asked), 200, { "cache-control": "max-age=60" }));
    const base = await listen(app.fetch);
    for (const path of ["/stored", "/stored", "/cache/", "/cache/", "/cache/api/info", "/cache/api/info"]) {
      await (await fetch(base + path)).text();
    }
    // The plain route is stored: it ran once. The inspector was asked each time.
    expect(asked).toBe(5);
  });
});
