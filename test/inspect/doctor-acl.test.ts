import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Cache,
  type CacheOptions,
  createCache,
  glideCluster,
  herd,
  iovalkey,
  nearCache,
} from "../../src/index.js";
import { CONNECTIONS, commandsOf, FEATURES, type Feature, INSPECTION, rules } from "../../src/inspect/features.js";
import type { Finding } from "../../src/inspect/port.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { examined, finding, linesOf } from "./examined.js";

/** How the doctor finds out, by what the user may send. */
const WAYS = {
  "ACL DRYRUN": ["acl|whoami", "acl|dryrun", "info"],
  "commands that change nothing, and a script": ["eval", "info"],
  "commands that change nothing": [],
} as const;
type Way = keyof typeof WAYS;

const NEVER_ASKED = new Set(["exec", "flushdb", "multi", "publish", "sadd", "subscribe"]);
const FEATURE_NAMES = Object.keys(FEATURES) as Feature[];
/** Commands of all features, but for those that the doctor itself needs in a way. */
const EVERYTHING = [
  ...Object.values(FEATURES).flatMap(commandsOf),
  ...commandsOf(CONNECTIONS.any),
  ...commandsOf(CONNECTIONS.near),
];
const REACH = ["~app:*", "&valkey-edge-cache:*", "&__redis__:invalidate"];

describe("doctor, on what an ACL lacks", () => {
  let server: ValkeyServer;
  let users = 0;
  beforeAll(async () => {
    server = await startValkey({ args: ["--acllog-max-len", "0"] });
  });
  afterAll(() => server?.stop());

  /** A cache of a new user with these rules. */
  async function cacheOf(granted: readonly string[], options: Partial<CacheOptions> = {}): Promise<Cache> {
    const user = `user-${++users}`;
    await command(server.port, ["ACL", "SETUSER", user, "on", ">password", "resetchannels", ...granted]);
    const location = server.url.replace("//", `//${user}:password@`);
    return createCache({ location, keyPrefix: "app", logger: false, connectionFactory: iovalkey(), ...options });
  }

  /** Runs the remedy of a finding, as an operator would. */
  async function follow({ remedy, check }: Finding): Promise<void> {
    const [, text = ""] = /^run "(ACL SETUSER [^"]+)" at valkey:/.exec(remedy) ?? [];
    expect(text, `${check}: ${remedy}`).not.toBe("");
    const [name = "", ...args] = text.split(" ");
    await command(server.port, [name, ...args]);
  }

  function allBut(way: Way, ...left: readonly string[]): string[] {
    const commands = way === "commands that change nothing" ? EVERYTHING.filter((one) => one !== "eval") : EVERYTHING;
    return [...REACH, ...rules([...commands, ...WAYS[way]].filter((one) => !left.includes(one)))];
  }

  it.each(Object.keys(WAYS) as Way[])("finds that nothing is missing, by %s", async (way) => {
    await using cache = await cacheOf(allBut(way), { client: herd() });
    const findings = await examined(cache);
    const lacking = findings.filter(({ check }) => check.startsWith("acl."));
    // Without EVAL, features with scripts lack it.
    const expected = way === "commands that change nothing" ? /\+eval\b/ : /never/;
    for (const one of lacking) expect(one.found).toMatch(expected);
    expect(finding(findings, "acl").found).toContain(`known by ${way}`);
    if (way !== "commands that change nothing") expect(finding(findings, "acl").level).toBe("ok");
    else expect(finding(findings, "acl").found).toContain("not known: ");
  });

  const cases = (["ACL DRYRUN", "commands that change nothing, and a script"] as const).flatMap((way) =>
    FEATURE_NAMES.map((name) => [name, way] as const),
  );
  it.each(cases)("names each missing rule of %s as one adds it, by %s, and its remedy mends it", async (name, way) => {
    const isHerd = name !== "getOrSet";
    const client = isHerd ? herd() : undefined;
    const own = commandsOf(FEATURES[name]).filter((one) => way === "ACL DRYRUN" || one !== "eval");
    await using cache = await cacheOf(allBut(way, ...own), { client });
    const before = await examined(cache);
    const lacking = finding(before, `acl.${name}`);
    expect(lacking.level).not.toBe("ok");
    for (const rule of rules(own)) expect(lacking.found, rule).toContain(rule);
    await follow(lacking);
    const after = await examined(cache);
    expect(after.map(({ check }) => check)).not.toContain(`acl.${name}`);
  });

  it("finds what is missing without scripts, and what can't be known then", async () => {
    const own = ["get", "getrange", "pexpire", "zadd", "sadd", "flushdb"];
    await using cache = await cacheOf(allBut("commands that change nothing", ...own));
    const findings = await examined(cache);
    for (const one of own.filter((name) => !NEVER_ASKED.has(name))) {
      expect(JSON.stringify(findings), one).toMatch(new RegExp(`\\+${one}\\b`));
    }
    expect(finding(findings, "acl").found).toMatch(/not known: .*sadd/);
    expect(finding(findings, "acl.locks").found).toContain("+eval");
    expect(finding(findings, "scripts").level).toBe("warning");
    await follow(finding(findings, "scripts"));
    expect(finding(await examined(cache), "scripts").level).toBe("ok");
  });

  it.each([
    ["entries", "~app:1:*", ["~app:lock:*", "~app:2:*", "~app:1:"]],
    ["locks", "~app:lock:*", ["~app:1:*", "~app:2:*"]],
    ["purgeTags", "~app:1:", ["~app:1:?*", "~app:2:*", "~app:lock:*"]],
    ["versions", "~app:*:*", ["~app:1:*", "~app:lock:*"]],
    ["http", "~app:1:http:*", ["~app:1:", "~app:1:g*", "~app:lock:*"]],
  ] as const)("names the keys of %s, %s", async (name, rule, granted) => {
    for (const way of ["ACL DRYRUN", "commands that change nothing, and a script"] as const) {
      const rest = allBut(way).filter((one) => !one.startsWith("~"));
      await using cache = await cacheOf([...granted, ...rest], { client: herd() });
      const lacking = finding(await examined(cache), `acl.${name}`);
      expect(lacking.found.split(" "), way).toContain(rule);
      expect(lacking.found, way).not.toContain("+");
      await follow(lacking);
      expect((await examined(cache)).map(({ check }) => check)).not.toContain(`acl.${name}`);
    }
  });

  it("names the channels of purges and of near caches", async () => {
    for (const way of ["ACL DRYRUN", "commands that change nothing, and a script"] as const) {
      await using cache = await cacheOf(
        allBut(way).filter((one) => !one.startsWith("&")),
        { nearCache: nearCache() },
      );
      const findings = await examined(cache);
      expect(finding(findings, "acl.purgeTags")).toMatchObject({
        level: "note",
        found: expect.stringContaining("&valkey-edge-cache:changes:app:1:"),
      });
      const near = finding(findings, "acl.nearCache");
      expect(near).toMatchObject({ level: "warning", found: expect.stringContaining("&__redis__:invalidate") });
      for (const one of [near, finding(findings, "acl.purgeTags")]) await follow(one);
      const after = (await examined(cache)).map(({ check }) => check);
      expect(after).not.toContain("acl.nearCache");
      expect(after).not.toContain("acl.purgeTags");
    }
  });

  it("escapes what has a meaning in rules, and mends a prefix that has it", async () => {
    const options = { keyPrefix: "a*b[c]", client: herd() };
    const commands = allBut("ACL DRYRUN").filter((one) => one.startsWith("+"));
    await using cache = await cacheOf(["~abc:*", ...commands], options);
    const lacking = finding(await examined(cache), "acl");
    expect(lacking.remedy).toContain(String.raw`~a\*b\[c\]:1:*`);
    await follow(lacking);
    expect(finding(await examined(cache), "acl").level).toBe("ok");
  });

  it("has one remedy for all that matters", async () => {
    await using cache = await cacheOf(["~app:1:*", "+get", "+acl|whoami", "+acl|dryrun"], { client: herd() });
    const all = finding(await examined(cache), "acl");
    expect(all.level).toBe("problem");
    await follow(all);
    const after = await examined(cache);
    expect(finding(after, "acl").level).toBe("ok");
    expect(
      linesOf(
        after.filter(({ check }) => check.startsWith("acl.")),
        "problem",
        "warning",
      ),
    ).toEqual([]);
    expect(await cache.getOrSet("a", () => 1)).toBe(1);
  });

  it("names what herd() goes without, though it works", async () => {
    await using cache = await cacheOf(allBut("ACL DRYRUN", "setrange"), { client: herd() });
    expect(finding(await examined(cache), "acl.herd")).toMatchObject({
      level: "warning",
      meaning: expect.stringContaining("without leases"),
    });
  });

  it("knows what its own questions need", async () => {
    const inspection = rules(commandsOf(INSPECTION.doctor)).join(" ");
    for (const rule of ["+acl|dryrun", "+acl|whoami", "+config|get", "+info", "+slowlog|len"]) {
      expect(inspection).toContain(rule);
    }
    await using cache = await cacheOf(
      ["~app:*", "allchannels", ...rules(EVERYTHING), ...rules(commandsOf(INSPECTION.doctor))],
      {
        client: herd(),
      },
    );
    expect(linesOf(await examined(cache), "skipped")).toEqual([]);
  });
});

it("doctor asks for the rules of a cluster", async () => {
  await using cluster = await startCluster({ primaries: 2 });
  const granted = ["~app:*", "resetchannels", "+@all", "-sadd"];
  const all = cluster.nodes.map(({ port }) => command(port, ["ACL", "SETUSER", "app", "on", ">password", ...granted]));
  await Promise.all(all);
  const location = cluster.url.replaceAll("//", "//app:password@");
  await using cache = createCache({ location, keyPrefix: "app", connectionFactory: glideCluster() });
  const findings = await examined(cache);
  expect(finding(findings, "acl.sets")).toMatchObject({
    level: "warning",
    found: expect.stringContaining("+sadd"),
    remedy: expect.stringMatching(/^run "ACL SETUSER app \+sadd" at every node of /),
  });
});
