import type { Context } from "hono";
import { basicAuth } from "hono/basic-auth";
import { describe, expect, it, vi } from "vitest";
import { ConfigurationError } from "../../src/index.js";
import { type InspectorOptions, inspector } from "../../src/inspector/index.js";
import { until } from "../support/wait.js";
import { everyone, openCache, pageFields, serveInspector, watchLive } from "./app.js";

const REQUESTS: readonly (readonly [method: string, path: string])[] = [
  ["GET", ""],
  ["GET", "/"],
  ["HEAD", "/"],
  ["GET", "/api/info"],
  ["GET", "/api/live"],
  ["GET", "/api/keys"],
  ["GET", "/api/entry?key=a"],
  ["GET", "/api/health"],
  ["POST", "/api/preview"],
  ["POST", "/api/purge"],
  ["GET", "/api/unknown"],
  ["GET", "/favicon.ico"],
  ["OPTIONS", "/api/purge"],
];

describe("authorize of the inspector", () => {
  it.each(REQUESTS)("is called for %s %s, which answers 403 when it returns false", async (method, path) => {
    const authorize = vi.fn(() => false);
    const base = await serveInspector({ cache: openCache(), authorize, allowChanges: true });
    const response = await fetch(`${base}/cache${path}`, { method, redirect: "manual" });
    expect(response.status).toBe(403);
    expect(authorize).toHaveBeenCalledOnce();
    if (method !== "HEAD") expect(await response.json()).toEqual({ error: "you may not look into this cache" });
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  it.each([undefined, null, 0, 1, "yes", {}])(
    "lets no client in when it returns %s, which is not true",
    async (given) => {
      const base = await serveInspector({ cache: openCache(), authorize: () => given as unknown as boolean });
      expect((await fetch(`${base}/cache/api/info`)).status).toBe(403);
    },
  );

  it("answers with its own response, such as one that asks for a password", async () => {
    const fields = { "www-authenticate": "Basic" };
    const authorize = async (): Promise<Response> => new Response("log in", { status: 401, headers: fields });
    const base = await serveInspector({ cache: openCache(), authorize });
    const response = await fetch(`${base}/cache/api/info`);
    expect([response.status, response.headers.get("www-authenticate"), await response.text()]).toEqual([
      401,
      "Basic",
      "log in",
    ]);
  });

  it("may be middleware of Hono that throws its refusal, such as basicAuth()", async () => {
    const onError = vi.fn();
    const login = basicAuth({ username: "ann", password: "hunter2" });
    const authorize = async (c: Context): Promise<boolean> => login(c, async () => {}).then(() => true);
    const base = await serveInspector({ cache: openCache({ onError }), authorize });
    const refused = await fetch(`${base}/cache/`);
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="Secure Area"']);
    const allowed = await fetch(`${base}/cache/`, { headers: { authorization: `Basic ${btoa("ann:hunter2")}` } });
    expect(allowed.status).toBe(200);
    expect(onError).not.toHaveBeenCalled();
  });

  it.each([
    ["an error", new Error("password of the database: hunter2")],
    ["no error at all", "hunter2"],
  ])("answers 500 without details when it throws %s, which onError is called with", async (_what, thrown) => {
    const onError = vi.fn();
    const authorize = (): boolean => {
      throw thrown;
    };
    const base = await serveInspector({ cache: openCache({ onError, logger: undefined }), authorize });
    const response = await fetch(`${base}/cache/`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("hunter2");
    expect(onError).toHaveBeenCalledWith(thrown, { method: "inspector", key: "" });
  });

  it("is called again while a live stream is open, which ends when it refuses", async () => {
    let allowed = true;
    const authorize = vi.fn(() => allowed);
    const cache = openCache();
    const base = await serveInspector({ cache, authorize, authorizeEvery: "1s" });
    await using live = await watchLive(`${base}/cache`);
    expect(await live.next()).toBeDefined();
    await until(() => authorize.mock.calls.length > 1, { what: "the second call of authorize" });
    expect(await live.next()).toBeDefined();
    allowed = false;
    let second = await live.next();
    while (second) second = await live.next();
    expect(cache.events.isHeard("call")).toBe(false);
  });
});

describe("inspector()", () => {
  const cache = openOnce();
  const complete = { cache, authorize: everyone };

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["no cache", { authorize: everyone }, /option "cache" is missing/],
    ["no authorize", { cache }, /option "authorize" is missing; give a function/],
    ["an authorize that is no function", { cache, authorize: true }, /option "authorize" is true; give a function/],
    ["what is not a cache", { ...complete, cache: {} }, /option "cache" is .*createCache\(\)/],
    ["an unknown option", { ...complete, readOnly: true }, /unknown option "readOnly"; known options are: cache, /],
    ["a wrong allowChanges", { ...complete, allowChanges: "yes" }, /option "allowChanges".* true or false/],
    ["a wrong user", { ...complete, user: "ann" }, /option "user".* a function/],
    ["a wrong onChange", { ...complete, onChange: 1 }, /option "onChange".* a function/],
    ["a wrong definition", { ...complete, definition: "user" }, /option "definition".* a function/],
    ["a wrong fleet", { ...complete, fleet: null }, /option "fleet".* true or false/],
    ["a wrong authorizeEvery", { ...complete, authorizeEvery: 0 }, /option "authorizeEvery".* a duration above 0/],
  ])("refuses %s, naming the option", (_what, options, message) => {
    const make = () => inspector(options as unknown as InspectorOptions);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it("takes a function that makes the cache from the first request, once", async () => {
    const made = openCache();
    const make = vi.fn(() => made);
    const base = await serveInspector({ cache: make });
    expect(make).not.toHaveBeenCalled();
    for (let i = 0; i < 2; i++) expect((await fetch(`${base}/cache/api/info`)).status).toBe(200);
    expect(make).toHaveBeenCalledOnce();
  });

  it("is read-only without allowChanges: no token, and purges and previews are refused with the option's name", async () => {
    const base = await serveInspector({ cache: openCache() });
    const response = await fetch(`${base}/cache/api/info`);
    expect(await response.json()).toMatchObject({ mayChange: false });
    expect(response.headers.has("set-cookie")).toBe(false);
    for (const what of ["purge", "preview"]) {
      const headers = await pageFields(`${base}/cache`);
      const body = JSON.stringify({ by: "key", key: "a" });
      const refused = await fetch(`${base}/cache/api/${what}`, { method: "POST", headers, body });
      expect(refused.status).toBe(403);
      expect(await refused.text()).toContain("allowChanges");
    }
  });
});

/** Options are checked before a cache is used. */
function openOnce(): unknown {
  return { parts: {}, events: { on() {}, emit() {} }, makeKey() {} };
}
