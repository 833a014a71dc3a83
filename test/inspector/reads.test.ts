import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { describe, expect, inject, it } from "vitest";
import { memory } from "../../src/index.js";
import type { EntryAnswer, KeysLine } from "../../src/inspector/api.js";
import { inspector } from "../../src/inspector/index.js";
import { until } from "../support/wait.js";
import { watched } from "../support/watched.js";
import { everyone, linesOf, openCache, serveInspector } from "./app.js";

async function open(options: Parameters<typeof openCache>[0] = {}) {
  const cache = openCache(options);
  const base = `${await serveInspector({ cache })}/cache`;
  return { cache, base };
}

const rowsOf = (lines: readonly KeysLine[]) => lines.flatMap((line) => ("rows" in line ? line.rows : []));

describe("api/keys of the inspector", () => {
  it("lists keys as lines, with their state, and says when that is all", async () => {
    const { cache, base } = await open({ location: inject("valkeyUrl") });
    await cache.set("user:1", { name: "Ann" }, { tags: ["users"] });
    await cache.set("user:2", 2);
    await cache.namespace("tenant").set("user:3", 3);
    const response = await fetch(`${base}/api/keys`);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    const lines = await linesOf<KeysLine>(response);
    const rows = rowsOf(lines);
    expect(
      rows
        .filter(({ kind }) => kind === "value")
        .map(({ key }) => key)
        .sort(),
    ).toEqual(["user:1", "user:2", "user:3"]);
    expect(rows.find(({ key }) => key === "user:3")).toMatchObject({ namespaces: ["tenant"], state: "fresh" });
    expect(lines.at(-1)).toMatchObject({ done: true, scanned: expect.any(Number) });
    expect(lines[0]).toMatchObject({ total: expect.any(Number) });
  });

  it.each([
    ["pattern=user:*", ["user:1", "user:2"]],
    ["ns=tenant", ["post:3"]],
    ["tag=users", ["user:1"]],
    ["version=2", ["old"]],
    ["pattern=nothing", []],
    ["pattern=&ns=&tag=&version=1", ["post:3", "user:1", "user:2"]],
  ])("lists only what %s selects", async (query, expected) => {
    const { cache, base } = await open({ location: inject("valkeyUrl") });
    await cache.set("user:1", 1, { tags: ["users"] });
    await cache.set("user:2", 2);
    await cache.set("old", 0, { version: 2 });
    await cache.namespace("tenant").set("post:3", 3);
    const rows = rowsOf(await linesOf<KeysLine>(await fetch(`${base}/api/keys?${query}`)));
    expect(
      rows
        .filter(({ kind }) => kind === "value")
        .map(({ key }) => key)
        .sort(),
    ).toEqual(expected);
  });

  it("scans on only as its client reads, and ends when the client leaves", async () => {
    const { factory, roundTrips } = watched(memory());
    const cache = openCache({ connectionFactory: factory });
    for (let i = 0; i < 30_000; i++) await cache.set(`user:${i}`, i);
    const scans = (): number => roundTrips.filter(({ kind }) => kind === "scan" || kind === "send").length;
    const before = scans();
    const app = inspector({ cache, authorize: everyone });
    const response = await app.request("/api/keys");
    const reader = response.body?.getReader();
    await reader?.read();
    const begun = scans();
    await new Promise(setImmediate);
    expect(scans()).toBe(begun);
    for (let i = 0; i < 3; i++) await reader?.read();
    expect(scans()).toBeGreaterThan(begun);
    await reader?.cancel();
    const left = scans();
    await new Promise(setImmediate);
    expect(scans()).toBe(left);
    // A whole scan would have taken far more.
    expect(left - before).toBeLessThan(100);
  });

  it("stops to scan for a connection that is full or lost", async () => {
    const { factory, roundTrips } = watched(memory());
    const cache = openCache({ connectionFactory: factory });
    const tail = "x".repeat(500);
    for (let i = 0; i < 20_000; i++) await cache.set(`user:${i}:${tail}`, i);
    const base = `${await serveInspector({ cache })}/cache`;
    const request = get(`${base}/api/keys`);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.pause();
    let seen = -1;
    await until(
      () => {
        const isStill = roundTrips.length === seen;
        seen = roundTrips.length;
        return isStill;
      },
      { what: "the scan to stand still", everyMs: 200 },
    );
    request.destroy();
    await until(async () => !cache.parts.settings.events.isHeard("call"), { what: "the end" });
    expect(roundTrips.length - seen).toBeLessThan(3);
  });

  it.each([
    [`pattern=${"a".repeat(2_000)}`, "the parameter pattern is too long; give at most 1024 characters"],
    [`tag=${"a".repeat(2_000)}`, "the parameter tag is too long; give at most 1024 characters"],
    [`ns=${"a".repeat(1_000)}&ns=${"b".repeat(1_000)}`, "the parameters ns are too long; give at most 1024 characters"],
    ["version=x", 'the parameter version is "x"; give a whole number'],
    ["version=1.5", 'the parameter version is "1.5"; give a whole number'],
  ])("answers 400 with a sentence for ?%s", async (query, error) => {
    const { base } = await open();
    const response = await fetch(`${base}/api/keys?${query}`);
    expect([response.status, await response.json()]).toEqual([400, { error }]);
  });
});

describe("api/entry of the inspector", () => {
  it("answers what is stored under a key, decoded, and what getOrSet would do", async () => {
    const { cache, base } = await open();
    await cache.getOrSet("user:1", () => ({ name: "Ann" }), { ttl: "1m" });
    const key = encodeURIComponent(String(cache.makeKey("user:1")));
    const { entry, why } = (await (await fetch(`${base}/api/entry?key=${key}`)).json()) as EntryAnswer;
    expect(entry).toMatchObject({ key: "user:1", kind: "value", state: "fresh", value: { json: { name: "Ann" } } });
    expect(why).toMatchObject({ outcome: "hit", get: "hit" });
  });

  it.each([
    ["", "the parameter key is missing; give a stored key"],
    ["?key=", "the parameter key is missing; give a stored key"],
    ["?key=session:7", '"session:7" is no stored key of this cache; give one that begins as api/keys has them'],
  ])("answers 400 with a sentence for api/entry%s", async (query, error) => {
    const { base } = await open();
    const response = await fetch(`${base}/api/entry${query}`);
    expect([response.status, await response.json()]).toEqual([400, { error }]);
  });

  it("shows no key of another program in the same database, and none outside of a namespace", async () => {
    const { cache, base } = await open({ location: inject("valkeyUrl") });
    await cache.connection.send([["SET", "session:7", "secret"]]);
    expect((await fetch(`${base}/api/entry?key=session:7`)).status).toBe(400);
    const tenant = `${await serveInspector({ cache: cache.namespace("tenant") })}/cache`;
    const outside = encodeURIComponent(String(cache.makeKey("user:1")));
    expect((await fetch(`${tenant}/api/entry?key=${outside}`)).status).toBe(400);
    const inside = encodeURIComponent(String(cache.namespace("tenant").makeKey("user:1")));
    expect((await fetch(`${tenant}/api/entry?key=${inside}`)).status).toBe(200);
  });
});

it("api/health of the inspector answers what doctor finds", async () => {
  const { base } = await open({ location: inject("valkeyUrl") });
  const findings = (await (await fetch(`${base}/api/health`)).json()) as unknown[];
  expect(findings[0]).toMatchObject({
    check: expect.any(String),
    level: expect.any(String),
    found: expect.any(String),
  });
});
