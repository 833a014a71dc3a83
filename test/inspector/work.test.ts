import { describe, expect, inject, it, vi } from "vitest";
import type { WorkLine } from "../../src/inspector/api.js";
import type { InspectorChange } from "../../src/inspector/index.js";
import { until } from "../support/wait.js";
import { linesOf, openCache, pageFields, serveInspector } from "./app.js";

async function open(options: { readonly user?: () => string } = {}) {
  const logger = { warn: vi.fn() };
  const cache = openCache({ location: inject("valkeyUrl"), logger });
  const changes: InspectorChange[] = [];
  const onChange = (change: InspectorChange): void => void changes.push(change);
  const base = `${await serveInspector({ cache, allowChanges: true, onChange, ...options })}/cache`;
  const headers = await pageFields(base);
  const post = (what: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
    fetch(`${base}/api/${what}`, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : JSON.stringify(body),
      signal: signal ?? null,
    });
  return { cache, base, headers, post, changes, logger };
}

describe("a preview by the inspector", () => {
  it("says what would go, and changes and logs nothing", async () => {
    const { cache, post, changes, logger } = await open();
    for (let i = 0; i < 30; i++) await cache.set(`user:${i}`, i);
    await cache.set("post:1", 1);
    const lines = await linesOf<WorkLine>(await post("preview", { by: "pattern", pattern: "user:*" }));
    const last = lines.at(-1);
    expect(last).toMatchObject({ preview: { matched: 30, samples: expect.any(Array) } });
    expect(last && "preview" in last ? last.preview.samples.length : 0).toBeLessThanOrEqual(20);
    expect(await cache.keys("user:*")).toHaveLength(30);
    expect([changes, logger.warn.mock.calls]).toEqual([[], []]);
  });
});

describe("a purge by the inspector", () => {
  it.each([
    ["by key", { by: "key", key: "user:1" }, ["user:2", "post:1"]],
    ["by stored key", { by: "key", key: "STORED:user:1", isStored: true }, ["user:2", "post:1"]],
    ["by pattern", { by: "pattern", pattern: "user:*" }, ["post:1"]],
    ["by tag", { by: "tag", tags: ["posts"] }, ["user:1", "user:2"]],
    ["by several tags", { by: "tag", tags: ["posts", "users"], match: "all" }, ["user:1", "user:2", "post:1"]],
  ])("ends entries %s", async (_how, target, left) => {
    const { cache, post } = await open();
    await cache.set("user:1", 1, { tags: ["users"] });
    await cache.set("user:2", 2, { tags: ["users"] });
    await cache.set("post:1", 1, { tags: ["posts"] });
    const body = JSON.stringify(target).replace("STORED:user:1", String(cache.makeKey("user:1")));
    const lines = await linesOf<WorkLine>(await post("purge", body));
    expect(lines.at(-1)).toHaveProperty("done");
    const found = await cache.getMany(["user:1", "user:2", "post:1"]);
    expect([...found.keys()]).toEqual(left);
  });

  it("ends a namespace, and makes entries stale instead where it is soft", async () => {
    const { cache, post } = await open();
    const tenant = cache.namespace("tenant");
    await tenant.set("a", 1);
    await cache.set("b", 1);
    await linesOf(await post("purge", { by: "namespace", namespaces: ["tenant"], soft: true }));
    expect(await tenant.get("a")).toBeUndefined();
    expect(await tenant.getOrSet("a", () => 2)).toBe(1);
    await linesOf(await post("purge", { by: "namespace", namespaces: ["tenant"] }));
    expect(await tenant.getOrSet("a", () => 3)).toBe(3);
    expect(await cache.get("b")).toBe(1);
  });

  it("is logged as one line whatever is in it, and onChange is called with what was done, and by which user", async () => {
    const { cache, post, changes, logger } = await open({ user: () => "ann\n[admin]" });
    await cache.set("user:\n1", 1);
    await linesOf(await post("purge", { by: "key", key: "user:\n1" }));
    expect(changes).toMatchObject([
      { target: { by: "key", key: "user:\n1" }, soft: false, free: false, user: "ann\n[admin]", outcome: "done" },
    ]);
    const [line] = logger.warn.mock.calls.flat() as string[];
    expect(line).toMatch(
      /^valkey-edge-cache: inspector: purge by key \{.*\} by "ann\\n\[admin\]": done, 1 of \d+ keys$/,
    );
    expect(line).not.toContain("\n");
  });

  it("ends when its client leaves, which is logged, and what was done stays done", async () => {
    const { cache, post, changes } = await open();
    const entries = Object.fromEntries(Array.from({ length: 50_000 }, (_none, i) => [`user:${i}`, i]));
    await cache.setMany(entries);
    const leaving = new AbortController();
    const response = await post("purge", { by: "pattern", pattern: "user:*", free: true }, leaving.signal);
    await response.body?.getReader().read();
    leaving.abort();
    await until(() => changes.length > 0, { what: "the end of the purge" });
    expect(changes).toMatchObject([{ outcome: "aborted", error: undefined }]);
    const left = (await cache.keys("user:*")).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(50_000);
    await linesOf(await post("purge", { by: "pattern", pattern: "user:*", free: true }));
    expect(await cache.keys("user:*")).toEqual([]);
  });

  it("is done although onChange or the logger throws, which onError is called with", async () => {
    const onError = vi.fn();
    const logger = {
      warn() {
        throw new Error("full");
      },
    };
    const cache = openCache({ logger, onError });
    await cache.set("a", 1);
    const cause = new Error("no");
    const onChange = (): void => {
      throw cause;
    };
    const base = `${await serveInspector({ cache, allowChanges: true, onChange })}/cache`;
    const body = JSON.stringify({ by: "key", key: "a" });
    const response = await fetch(`${base}/api/purge`, { method: "POST", headers: await pageFields(base), body });
    expect((await linesOf(response)).at(-1)).toHaveProperty("done");
    expect(await cache.get("a")).toBeUndefined();
    expect(onError).toHaveBeenCalledWith(cause, { method: "inspector", key: "" });
  });

  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /^the body is not JSON; give an object such as /],
    ["an empty body", "", /^the body is not JSON/],
    ["a list", [], /^the body is not an object; give one such as /],
    ["null", "null", /^the body is not an object/],
    ["no target", {}, /^the field by is undefined; give "key" or "pattern" or "tag" or "namespace"$/],
    ["an unknown target", { by: "url" }, /^the field by is "url"; give /],
    ["a name of Object.prototype as the target", { by: "constructor" }, /^the field by is "constructor"; give /],
    ["no key", { by: "key" }, /^the field key is undefined; give a text of 1 to 8192 characters$/],
    ["a key that is a number", { by: "key", key: 7 }, /^the field key is 7; give a text/],
    ["half of a surrogate pair", { by: "key", key: "\ud800" }, /^the field key is .*; give a text/],
    ["an empty pattern", { by: "pattern", pattern: "" }, /^the field pattern is ""; give a text/],
    ["no tags", { by: "tag", tags: [] }, /^the field tags is .*; give a list of 1 to 1000 texts$/],
    ["a tag that is no text", { by: "tag", tags: ["a", 1] }, /^the field tags is .*; give a list/],
    ["a wrong match", { by: "tag", tags: ["a"], match: "some" }, /^the field match is "some"; give "any" or "all"$/],
    ["no namespace", { by: "namespace", namespaces: [] }, /^the field namespaces is .*; give a list/],
    ["a soft that is text", { by: "key", key: "a", soft: "yes" }, /^the field soft is "yes"; give true or false$/],
    [
      "an unknown field",
      { by: "key", key: "a", force: true },
      /^unknown field "force"; known fields are: by, soft, free, key/,
    ],
    ["a stored key of another program", { by: "key", key: "session:7", isStored: true }, /no stored key of this cache/],
  ])("answers 400 with a sentence for %s", async (_what, body, message) => {
    const { post, changes } = await open();
    const response = await post("purge", body);
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: string };
    expect(error).toMatch(message);
    expect(changes).toEqual([]);
  });

  it("reads no more than 64 KiB of a body, whether or not its length is said", async () => {
    const { base, headers, post } = await open();
    const large = JSON.stringify({ by: "key", key: "a".repeat(70_000) });
    expect((await post("purge", large)).status).toBe(413);
    const parts = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(10_000).fill(32));
      },
    });
    const init = { method: "POST", headers, body: parts, duplex: "half" } as RequestInit;
    const response = await fetch(`${base}/api/purge`, init).catch(() => undefined);
    expect(response?.status ?? 413).toBe(413);
  });
});
