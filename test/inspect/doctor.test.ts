import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import {
  type CacheOptions,
  createCache,
  defaultKeyFunction,
  glide,
  glideCluster,
  herd,
  iovalkey,
  nearCache,
} from "../../src/index.js";
import { CHECKS, diagnose } from "../../src/inspect/doctor.js";
import type { Finding } from "../../src/inspect/port.js";
import { command } from "../support/command.js";
import { freePort, HOST } from "../support/ports.js";
import { root } from "../support/project.js";
import { startRespProxy } from "../support/resp-proxy.js";
import { startRestServer } from "../support/rest-server.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { examined, finding, linesOf } from "./examined.js";

const NAMES = CHECKS.map(({ name }) => name);
const LEVELS = ["problem", "warning", "note", "skipped", "ok"];
const topOf = ({ check }: Finding): string => check.split(".", 1)[0] ?? "";

describe("doctor", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await startValkey({ args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"] });
  });
  afterAll(() => server?.stop());

  it.each([
    ["valkey-glide", undefined],
    ["iovalkey", iovalkey()],
  ])("finds nothing wrong with a cache over %s that has all it needs", async (transport, connectionFactory) => {
    const options = { keyPrefix: "app", client: herd(), nearCache: connectionFactory ? undefined : nearCache() };
    await using cache = createCache({ location: server.url, connectionFactory, ...options });
    const findings = await examined(cache);
    expect(linesOf(findings, "problem", "warning", "note", "skipped")).toEqual([]);
    expect(findings.map(({ check }) => check).sort()).toEqual([...NAMES].sort());
    expect(finding(findings, "connection").found).toMatch(
      new RegExp(`^connected in .* to ${server.url} over ${transport}, in plain text$`),
    );
  });

  it("calls onFinding with each finding in the order of the checks, and returns the worst first", async () => {
    await using cache = createCache({ location: inject("valkeyUrl") });
    const heard: Finding[] = [];
    const findings = await diagnose(cache, { onFinding: (one) => heard.push(one) });
    expect([...new Set(heard.map(topOf))]).toEqual(NAMES);
    const ranks = findings.map(({ level }) => LEVELS.indexOf(level));
    expect(ranks).toEqual(ranks.toSorted((one, other) => one - other));
    expect(new Set(ranks).size).toBeGreaterThan(1);
    expect(new Set(findings)).toEqual(new Set(heard));
  });

  it("writes nothing, and leaves no refusal behind", async () => {
    await using own = await startValkey();
    await command(own.port, [
      "ACL",
      "SETUSER",
      "app",
      "on",
      ">password",
      "~app:*",
      "+get",
      "+set",
      "+eval",
      "+ping",
      "+info",
    ]);
    const location = own.url.replace("//", "//app:password@");
    await using cache = createCache({ location, keyPrefix: "app", client: herd() });
    await cache.set("a", 1);
    const changes = async () => /rdb_changes_since_last_save:\d+/.exec(String(await command(own.port, ["INFO"])))?.[0];
    const before = await changes();
    const heard: unknown[] = [];
    cache.on("set", (event) => heard.push(event));
    await examined(cache);
    expect(await changes()).toBe(before);
    expect(await command(own.port, ["DBSIZE"])).toBe(1);
    expect(heard).toEqual([]);
    const { unavailable = [] } = await cache.health();
    expect(unavailable.filter((what) => !what.startsWith("CLIENT "))).toEqual([]);
  });

  it("says of an empty cache in memory which checks have no meaning there", async () => {
    await using cache = createCache({ location: "memory:" });
    const findings = await examined(cache);
    expect(finding(findings, "connection")).toMatchObject({
      level: "ok",
      found: expect.stringContaining("in this process"),
    });
    expect(linesOf(findings, "problem", "warning", "note")).toEqual([]);
    expect(linesOf(findings, "skipped")).toContain("eviction: not checked: entries are kept in this process");
  });

  it("looks at a server behind an HTTP endpoint", async () => {
    await using endpoint = await startRestServer(server);
    const connectionFactory = rest({ url: endpoint.url, token: endpoint.token });
    await using cache = createCache({ connectionFactory, client: herd(), keyPrefix: "app", nearCache: nearCache() });
    const findings = await examined(cache);
    expect(linesOf(findings, "problem", "warning")).toEqual([]);
    expect(finding(findings, "eviction")).toMatchObject({ level: "ok" });
    expect(finding(findings, "tracking")).toMatchObject({
      level: "note",
      meaning: expect.stringContaining("Nothing can listen over HTTP"),
    });
  });

  it("goes on when a check fails", async () => {
    const keyFunction: CacheOptions["keyFunction"] = (key, prefix, version) => {
      if (version === "lock") throw new Error("no locks here");
      return defaultKeyFunction(key, prefix, version);
    };
    await using cache = createCache({ location: server.url, keyPrefix: "app", keyFunction });
    const findings = await examined(cache);
    expect(linesOf(findings, "skipped")).toEqual(["acl: not checked: no locks here"]);
    expect(new Set(findings.map(topOf))).toEqual(new Set(NAMES));
  });

  it("ends with the signal's reason", async () => {
    await using cache = createCache({ location: server.url });
    const controller = new AbortController();
    const heard: string[] = [];
    const onFinding = ({ check }: Finding) => {
      heard.push(check);
      controller.abort(new Error("enough"));
    };
    await expect(diagnose(cache, { onFinding, signal: controller.signal })).rejects.toThrow("enough");
    expect(heard).toEqual(["connection"]);
  });

  it("refuses wrong options, and what is no cache", async () => {
    await using cache = createCache({ location: "memory:" });
    await expect(diagnose(cache, { onFinding: "print" as never })).rejects.toThrow(/option "onFinding" is "print"/);
    await expect(diagnose(cache, { onFound() {} } as never)).rejects.toThrow(/unknown option "onFound"/);
    await expect(diagnose({} as never)).rejects.toThrow(/is not a cache/);
  });

  it("works on a view and on a namespace of a cache", async () => {
    await using cache = createCache({ location: server.url, keyPrefix: "app", client: herd() });
    for (const one of [cache.for({}), cache.namespace("tenant")]) {
      expect(linesOf(await examined(one), "problem", "warning", "skipped")).toEqual([]);
    }
  });
});

describe("doctor, where the server can't be used", () => {
  const needing = CHECKS.filter(({ needsServer }) => needsServer).map(({ name }) => name);
  const skippedOf = (findings: readonly Finding[]) =>
    findings.filter(({ level }) => level === "skipped").map(({ check }) => check);

  it.each([
    ["valkey-glide", glide()],
    ["iovalkey", iovalkey()],
    ["valkey-glide in a cluster", glideCluster()],
  ])("gives the reason of %s and its remedy, and skips the rest", async (_, connectionFactory) => {
    await using cache = createCache({ location: `valkey://${HOST}:${await freePort()}`, connectionFactory });
    const findings = await examined(cache);
    expect(findings[0]).toMatchObject({
      check: "connection",
      level: "problem",
      found: expect.stringMatching(/could not be reached: .*refused/i),
      remedy: expect.stringContaining("check that it is running"),
    });
    expect(skippedOf(findings)).toEqual(needing);
  });

  it("never prints a password", async () => {
    await using server = await startValkey();
    const right = "p%40ss w*rd/1";
    await command(server.port, ["ACL", "SETUSER", "app", "on", `>${right}`, "allkeys", "allchannels", "+@all"]);
    for (const secret of ["s3cret-one", "s3cret@two:%", right]) {
      for (const connectionFactory of [glide(), iovalkey()]) {
        const location = server.url.replace("//", `//app:${encodeURIComponent(secret)}@`);
        await using cache = createCache({ location, connectionFactory });
        const text = JSON.stringify(await examined(cache));
        expect(text).not.toContain(secret);
        expect(text).not.toContain(encodeURIComponent(secret));
        expect(text.includes('"check":"connection","level":"problem"')).toBe(secret !== right);
      }
    }
  });

  it("asks for a password where one is missing", async () => {
    await using server = await startValkey({ args: ["--requirepass", "s3cret"] });
    for (const connectionFactory of [glide(), iovalkey()]) {
      await using cache = createCache({ location: server.url, connectionFactory });
      const [first] = await examined(cache);
      expect(first).toMatchObject({ check: "connection", level: "problem", found: expect.stringContaining("NOAUTH") });
      expect(first?.remedy).toMatch(/password/);
    }
  });

  it.each([
    ["valkey-glide", (times: object) => glide(times)],
    ["iovalkey", (times: object) => iovalkey(times)],
  ])("ends in bounded time over %s when the server is frozen, from the start or in the middle", async (_, factory) => {
    await using server = await startValkey();
    const connectionFactory = factory({ connectTimeout: 0.3, commandTimeout: 0.3 });
    for (const from of ["connection", "role"]) {
      await using cache = createCache({ location: server.url, connectionFactory });
      if (from === "connection") await server.kill("SIGSTOP");
      const startMs = performance.now();
      const findings = await diagnose(cache, {
        onFinding: ({ check }) => {
          if (check === from) process.kill(server.pid, "SIGSTOP");
        },
      });
      await server.kill("SIGCONT");
      expect(performance.now() - startMs).toBeLessThan(8_000);
      expect(new Set(findings.map(topOf))).toEqual(new Set(NAMES));
      expect(finding(findings, from === "connection" ? from : "clock").level).toBe(
        from === "connection" ? "problem" : "skipped",
      );
    }
  });
});

describe("doctor, behind a proxy", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await startValkey();
  });
  afterAll(() => server?.stop());

  it("says that the proxy refuses HELLO, and what else it doesn't have", async () => {
    await using proxy = await startRespProxy(server.port, { unknown: "error" });
    await using cache = createCache({ location: proxy.url, connectionFactory: iovalkey(), nearCache: nearCache() });
    const findings = await examined(cache);
    expect(finding(findings, "protocol")).toMatchObject({
      level: "warning",
      found: expect.stringContaining("has no HELLO and CLIENT"),
    });
    expect(finding(findings, "acl.scans")).toMatchObject({
      level: "warning",
      found: expect.stringContaining("has no"),
    });
    expect(finding(findings, "memory").found).toBe("not checked: the server, or a proxy before it, has no INFO");
    expect(finding(findings, "connection").level).toBe("ok");
  });

  it("sends no more than one unknown command to a proxy that closes the connection on it", async () => {
    await using proxy = await startRespProxy(server.port, { unknown: "close", refused: ["PING"] });
    await using plain = await startRespProxy(server.port, { unknown: "close" });
    await using cache = createCache({ location: plain.url, connectionFactory: iovalkey() });
    await cache.set("a", 1);
    const before = plain.refused.length;
    const findings = await examined(cache);
    // A read is retried once.
    expect(plain.refused.slice(before).length).toBeLessThanOrEqual(2);
    expect(finding(findings, "protocol").found).toMatch(/closes the connection on commands such as HELLO/);
    expect(finding(findings, "acl").found).toMatch(/^not checked: a proxy is between/);
    expect(await cache.get("a")).toBe(1);
    expect(proxy.accepted).toBe(0);
  });
});

it("docs/doctor.md has a row for each check, in their order", () => {
  const [, page = ""] = readFileSync(join(root, "docs", "doctor.md"), "utf8").split("## Checks\n");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  expect(rows).toEqual(NAMES);
});
