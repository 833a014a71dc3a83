import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { widthOf } from "../../src/cli/terminal/width.js";
import { type Cache, createCache, herd } from "../../src/index.js";
import { cli, terminal } from "../support/cli.js";
import { build } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

const EVIL = "evil\x1b]0;owned\x07\n\u202ekey\u009b2J";
const WIDE = "日本語のキー-👩‍👩‍👧‍👦-e\u0301";

let server: ValkeyServer;
let cache: Cache;
/** Options of the cache, in front of every command line. */
let place: string[];

beforeAll(async () => {
  await build();
  server = await startValkey();
  place = ["--url", server.url, "--prefix", "app", "--client", "herd"];
  cache = createCache({ location: server.url, keyPrefix: "app", client: herd({ grace: "1m" }) });
  await cache.set("user:1", { name: "Ann", text: "a\x1b[31mb" }, { ttl: "5m", tags: ["team:7"] });
  await cache.set("user:2", "plain\x1b[31mred\ntext", { ttl: null });
  await cache.set("user:3", 7, { ttl: "5m" });
  await cache.expireSoft("user:3");
  await cache.set(EVIL, EVIL);
  await cache.set(WIDE, WIDE.repeat(20));
  await cache.set("long".repeat(60), "x".repeat(500));
  await cache.namespace("tenant-42").namespace("eu").set("user:1", 42);
  await cache.set("other", 2, { version: 2 });
  await cache.sets.add("online", ["ann", "bob"]);
}, 120_000);

afterAll(async () => {
  await cache.close();
  await server.stop();
});

const jsonLines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("keys", () => {
  it("lists the entries of the version with state, kind, time left and size", async () => {
    const { code, stdout, stderr } = await cli(["keys", "user:*", ...place]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [head, ...rows] = stdout.trim().split("\n");
    expect(head).toMatch(/^STATE +KIND +LEFT +SIZE +KEY$/);
    expect(rows.sort()).toEqual([
      expect.stringMatching(/^fresh +value +(4m \d+s|5m) +\d+ B +\[tenant-42\] \[eu\] user:1$/),
      expect.stringMatching(/^fresh +value +(4m \d+s|5m) +\d+ B +user:1 {2}\{#\S{12}\}$/),
      expect.stringMatching(/^fresh +value +never +\d+ B +user:2$/),
      expect.stringMatching(/^stale +value +(\d+s|1m) +\d+ B +user:3$/),
    ]);
  });

  it("are lines of JSON with --json, hostile keys as they are", async () => {
    const { code, stdout } = await cli(["keys", "--json", ...place]);
    expect(code).toBe(0);
    const rows = jsonLines(stdout);
    expect(rows.map(({ key }) => key)).toEqual(expect.arrayContaining([EVIL, WIDE, "user:1", "online"]));
    expect(rows.map(({ key }) => key)).not.toContain("other");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be gone
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    expect(rows.find(({ key }) => key === "online")).toMatchObject({ kind: "set", size: 2 });
  });

  it("can be selected by limit, version, namespace and tag", async () => {
    const keysOf = async (...args: string[]) =>
      jsonLines((await cli(["keys", "--json", ...args, ...place])).stdout).map(({ key }) => key);
    expect(await keysOf("--limit", "2")).toHaveLength(2);
    expect(await keysOf("other", "--key-version", "2")).toEqual(["other"]);
    expect(await keysOf("other", "--all-versions")).toEqual(["other"]);
    expect(await keysOf("--namespace", "tenant-42")).toEqual(["user:1"]);
    expect(await keysOf("-n", "tenant-42", "-n", "eu")).toEqual(["user:1"]);
    expect(await keysOf("--tag", "team:7")).toEqual(["user:1"]);
  });

  it("that are none say so on standard error", async () => {
    expect(await cli(["keys", "nothing:*", ...place])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(
        /^0 entries of \d+ keys? looked at, in .*; the prefix is "app",\s+and the version 1\n$/,
      ),
    });
  });
});

describe("get", () => {
  it("shows an entry with its state, times, size, tags and decoded value", async () => {
    const { code, stdout, stderr } = await cli(["get", "user:1", "--tag", "team:7", ...place]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^user:1\n/);
    expect(stdout).toMatch(/^state +fresh for (4m \d+s|5m), then stale for 1m$/m);
    expect(stdout).toMatch(/^stored as +app:1:user:1$/m);
    expect(stdout).toMatch(/^size +\d+ B, \d+ B of memory$/m);
    expect(stdout).toMatch(/^tags +team:7$/m);
    expect(stdout).toMatch(/^codec +json$/m);
    expect(stdout).toContain('\n{\n  "name": "Ann",\n');
    expect(stdout).not.toContain("\x1b");
  });

  it("says of a stale entry for how long it is answered", async () => {
    const { stdout } = await cli(["get", "user:3", ...place]);
    expect(stdout).toMatch(/^state +stale( since \S+)?, still answered for (\d+s|1m)$/m);
  });

  it("finds entries of namespaces, of other versions, and by their stored keys", async () => {
    const raw = async (...args: string[]) => (await cli(["get", "--raw", ...args, ...place])).stdout;
    expect(await raw("user:1", "-n", "tenant-42", "-n", "eu")).toBe("42\n");
    expect(await raw("other", "--key-version", "2")).toBe("2\n");
    expect(await raw("app:2:other", "--stored")).toBe("2\n");
  });

  it("gives a pipe the value as it is with --raw, and a terminal no escape sequence of it", async () => {
    expect((await cli(["get", "user:2", "--raw", ...place])).stdout).toBe("plain\x1b[31mred\ntext");
    await using shell = terminal(["get", "user:2", "--raw", ...place], { env: { NO_COLOR: "1" } });
    expect(await shell.ended()).toBe(0);
    expect(shell.shown()).toBe("plain\\x1b[31mred\ntext\n");
  });

  it("is one JSON document with --json", async () => {
    const { code, stdout } = await cli(["get", "user:1", "--json", ...place]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      storedKey: "app:1:user:1",
      key: "user:1",
      state: "fresh",
      value: { json: { name: "Ann", text: "a\x1b[31mb" } },
    });
  });

  it("and ttl have an exit code of their own for an entry that is missing", async () => {
    for (const command of ["get", "ttl"]) {
      const { code, stdout, stderr } = await cli([command, "none", ...place]);
      expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
      expect(stderr).toContain("There is no entry app:1:none; `why none` says what to look at.");
      const json = await cli([command, "none", "--json", ...place]);
      expect({ code: json.code, state: JSON.parse(json.stdout).state, stderr: json.stderr }).toEqual({
        code: 3,
        state: "none",
        stderr: "",
      });
    }
  });
});

describe("ttl", () => {
  it("says how long an entry is fresh, then stale, then stored", async () => {
    const { code, stdout } = await cli(["ttl", "user:1", ...place]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^fresh for (4m \d+s|5m), then stale for 1m; deleted in (5m \d+s|6m)\n$/);
    expect((await cli(["ttl", "user:2", ...place])).stdout).toMatch(/^fresh, never expires/);
  });

  it("is one JSON document with --json", async () => {
    const { stdout } = await cli(["ttl", "user:1", "--json", ...place]);
    const { atMs, freshUntilMs, staleUntilMs } = JSON.parse(stdout);
    expect(freshUntilMs - atMs).toBeGreaterThan(200_000);
    expect(staleUntilMs - freshUntilMs).toBe(60_000);
  });
});

describe("why", () => {
  it("says what getOrSet would do, why, and what to look at", async () => {
    const hit = await cli(["why", "user:1", ...place]);
    expect(hit).toMatchObject({ code: 0, stderr: "" });
    expect(hit.stdout).toMatch(/^getOrSet would return the stored value/);
    expect(hit.stdout).toMatch(/^- /m);
    expect(hit.stdout).toContain("app:1:user:1");
    const other = await cli(["why", "other", ...place]);
    expect(other.stdout).toMatch(/would load/);
    expect(other.stdout).toMatch(/What to look at\n- .*version 2/);
  });

  it("is one JSON document with --json", async () => {
    const report = JSON.parse((await cli(["why", "user:3", "--json", ...place])).stdout);
    expect(report).toMatchObject({ outcome: "refresh", storedKey: "app:1:user:3", entry: { state: "stale" } });
  });
});

describe("a terminal of 40 columns", () => {
  const COMMANDS = [
    ["keys"],
    ["get", "user:1"],
    ["get", EVIL],
    ["get", WIDE],
    ["get", "long".repeat(60)],
    ["get", "missing".repeat(20)],
    ["ttl", "user:1"],
    ["why", "user:1"],
    ["why", "missing".repeat(20)],
    ["doctor"],
    ["purge", "--pattern", "*", "--dry-run"],
    ["delete", EVIL, "long".repeat(60), "--dry-run"],
    ["clear", "--dry-run"],
    ["top", "--once"],
  ];

  it.each(COMMANDS)("isn't exceeded by %s %s", async (...args) => {
    await using shell = terminal([...args.filter((arg) => arg !== undefined), ...place], { columns: 40 });
    await shell.ended();
    // A line that is drawn over, such as the progress, is as wide as its longest state.
    const lines = shell.shown().split(/\n|\r/);
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(widthOf(line), JSON.stringify(line)).toBeLessThanOrEqual(40);
    // Colours alone, and the end of a line.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    expect(shell.shown().replaceAll(/\x1b\[(?:\d+m|K)|[\r\n]/g, "")).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
  });
});

describe("colours", () => {
  it.each([
    ["on a terminal", {}, true],
    ["on a terminal under NO_COLOR", { NO_COLOR: "1" }, false],
    ["on a terminal that knows none", { TERM: "dumb" }, false],
  ])("%s are shown: see %j, %s", async (_where, env, expected) => {
    await using shell = terminal(["get", "user:1", ...place], { env });
    expect(await shell.ended()).toBe(0);
    expect(shell.shown().includes("\x1b[32m")).toBe(expected);
  });

  it("are in no pipe, unless FORCE_COLOR asks for them", async () => {
    expect((await cli(["get", "user:1", ...place])).stdout).not.toContain("\x1b");
    expect((await cli(["get", "user:1", ...place], { env: { FORCE_COLOR: "1" } })).stdout).toContain("\x1b[32m");
  });
});
