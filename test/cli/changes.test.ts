import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { CLI, cli, run as shell, terminal } from "../support/cli.js";
import { build } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

let server: ValkeyServer;
let cache: Cache;
let place: string[];

beforeAll(async () => {
  await build();
  server = await startValkey();
  place = ["--url", server.url, "--prefix", "app"];
  cache = createCache({ location: server.url, keyPrefix: "app" });
}, 120_000);

beforeEach(async () => {
  await cache.flush();
  await cache.setMany({ a: 1, b: 2, "user:1": 3, "user:2": 4 });
});

afterAll(async () => {
  await cache.close();
  await server.stop();
});

const stored = async () => (await cache.keys()).sort();
const ALL = ["a", "b", "user:1", "user:2"];
const CHANGES = [
  ["delete", "a"],
  ["purge", "--key", "a"],
  ["purge", "--tag", "t"],
  ["purge", "--pattern", "*"],
  ["purge", "--namespace", "n"],
  ["clear"],
  ["clear", "--namespace", "n"],
];

describe("a change", () => {
  it.each(CHANGES)(
    "by %s %s is refused without a terminal and without --yes, with an exit code of its own",
    async (...args) => {
      const { code, stdout, stderr } = await cli([...args.filter((arg) => arg !== undefined), ...place], {
        input: "y\ny\n",
      });
      expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
      expect(stderr).toMatch(/nothing was changed: .*give --yes, or --dry-run/);
      expect(await stored()).toEqual(ALL);
    },
  );

  it("shows how many entries match, how large they are and some of them, and changes nothing with --dry-run", async () => {
    const { code, stdout, stderr } = await cli(["purge", "--pattern", "user:*", "--dry-run", ...place]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Keys that match user:\*: 2 entries with \d+ B, of 4 keys looked at\n/);
    expect(stdout).toMatch(/^ {2}user:1 {2}\(fresh, (5m|4m \d+s) left, 1 B\)$/m);
    const json = await cli(["purge", "--pattern", "user:*", "--dry-run", "--yes", "--json", ...place]);
    expect(JSON.parse(json.stdout)).toMatchObject({ dryRun: true, preview: { matched: 2, samples: [{}, {}] } });
    expect(await stored()).toEqual(ALL);
  });

  it("is asked for on a terminal, and done by y", async () => {
    await using shell = terminal(["delete", "a", "b", ...place], { env: { NO_COLOR: "1" } });
    await shell.showing("2 keys: 2 entries with 2 B");
    await shell.showing("Delete 2 keys? [y/N] ");
    expect(await stored()).toEqual(ALL);
    shell.type("y\n");
    expect(await shell.ended()).toBe(0);
    expect(shell.shown()).toMatch(/2 entries deleted \(2 B\) in \d/);
    expect(await stored()).toEqual(["user:1", "user:2"]);
  });

  it.each([
    ["n", "n\n"],
    ["an empty line", "\n"],
    ["another word", "maybe\n"],
    ["the end of the input", "\x04"],
  ])("isn't done by %s", async (_what, answer) => {
    await using shell = terminal(["delete", "a", ...place]);
    await shell.showing("[y/N] ");
    shell.type(answer);
    expect(await shell.ended()).toBe(5);
    expect(shell.shown()).toContain("nothing was changed, as it was not confirmed");
    expect(await stored()).toEqual(ALL);
  });

  it("isn't done by Ctrl-C at the question", async () => {
    await using shell = terminal(["delete", "a", ...place]);
    await shell.showing("[y/N] ");
    shell.type("\x03");
    expect(await shell.ended()).toBe(130);
    expect(shell.shown()).toContain("Interrupted.");
    expect(await stored()).toEqual(ALL);
  });

  it("of the whole prefix is asked for twice, the second time by its name", async () => {
    await using wrong = terminal(["clear", ...place]);
    await wrong.showing("every entry of the prefix app, in every version? [y/N] ");
    wrong.type("y\n");
    await wrong.showing("Type app to go on: ");
    wrong.type("y\n");
    expect(await wrong.ended()).toBe(5);
    expect(await stored()).toEqual(ALL);
    await using right = terminal(["clear", ...place]);
    await right.showing("[y/N] ");
    right.type("y\n");
    await right.showing("Type app to go on: ");
    right.type("app\n");
    expect(await right.ended()).toBe(0);
    expect(await stored()).toEqual([]);
  });
});

describe("delete", () => {
  it("deletes what it names, in namespaces and by stored keys, too, and nothing else", async () => {
    await cache.namespace("n").set("a", 1);
    await cache.set("other", 1, { version: 2 });
    expect(await cli(["delete", "a", "-n", "n", "--yes", ...place])).toMatchObject({ code: 0, stderr: "" });
    expect(await cache.namespace("n").get("a")).toBeUndefined();
    expect(await stored()).toEqual(ALL);
    await cli(["delete", "app:2:other", "--stored", "--yes", ...place]);
    expect(await cache.get("other", { version: 2 })).toBeUndefined();
    const end = await cli(["delete", "a", "b", "missing", "--yes", "--json", ...place]);
    expect(JSON.parse(end.stdout)).toMatchObject({ interrupted: false, done: { matched: 2 } });
    expect(await stored()).toEqual(["user:1", "user:2"]);
  });

  it("takes hostile keys", async () => {
    const key = "evil\x1b]0;x\x07\n$(touch /tmp/x)'\"";
    await cache.set(key, 1);
    expect(await cli(["delete", key, "--yes", ...place])).toMatchObject({ code: 0 });
    expect(await stored()).toEqual(ALL);
  });

  it("of what isn't there says so, and asks nothing", async () => {
    await using shell = terminal(["delete", "none", ...place]);
    expect(await shell.ended()).toBe(0);
    expect(shell.shown()).toContain("nothing is stored");
  });
});

describe("purge", () => {
  it("ends entries with a tag by one write, with several by any or all, and frees them on demand", async () => {
    await cache.set("x", 1, { tags: ["s", "t"] });
    await cache.set("y", 1, { tags: ["t"] });
    await cli(["purge", "--tag", "s", "t", "--match", "all", "--yes", ...place]);
    expect([await cache.get("x"), await cache.get("y")]).toEqual([undefined, 1]);
    const end = await cli(["purge", "--tag", "t", "--free", "--yes", ...place]);
    expect(end).toMatchObject({ code: 0, stdout: expect.stringMatching(/deleted|freed|ended/) });
    expect(await cache.get("y")).toBeUndefined();
    expect(await stored()).toEqual(ALL);
  });

  it("makes entries stale with --soft", async () => {
    await cache.set("x", 1, { tags: ["t"] });
    expect(await cli(["purge", "--tag", "t", "--soft", "--yes", ...place])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Entries with the tag t: made stale by one write/),
    });
  });

  it("ends keys by pattern, and all of a namespace", async () => {
    await cache.namespace("n").set("a", 1);
    await cli(["purge", "--pattern", "user:*", "--yes", ...place]);
    expect(await stored()).toEqual(expect.arrayContaining(["a", "b"]));
    expect(await cache.get("user:1")).toBeUndefined();
    expect(await cache.namespace("n").get("a")).toBe(1);
    await cli(["purge", "--namespace", "n", "--yes", ...place]);
    expect(await cache.namespace("n").get("a")).toBeUndefined();
    expect(await cache.get("a")).toBe(1);
  });
});

describe("clear", () => {
  it("deletes exactly the entries of a namespace", async () => {
    await cache.namespace("n").setMany({ a: 1, b: 2 });
    const { code, stdout } = await cli(["clear", "--namespace", "n", "--yes", ...place]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^2 entries deleted/) });
    expect(await cache.namespace("n").keys()).toEqual([]);
    expect(await stored()).toEqual(ALL);
  });

  it("deletes every version of the prefix with --yes, and nothing of other prefixes", async () => {
    await using other = createCache({ location: server.url, keyPrefix: "application" });
    await other.set("a", 1);
    await cache.set("a", 1, { version: 2 });
    expect(await cli(["clear", "--yes", ...place])).toMatchObject({ code: 0 });
    expect(await stored()).toEqual([]);
    expect(await cache.get("a", { version: 2 })).toBeUndefined();
    expect(await other.get("a")).toBe(1);
  });
});

describe("a long work", () => {
  const MANY = 60_000;

  const fill = async () => {
    for (let from = 0; from < MANY; from += 10_000) {
      const numbers = Array.from({ length: 10_000 }, (_, i) => from + i);
      await cache.setMany(numbers.map((n) => [`many:${n}`, n] as const));
    }
  };

  it("shows a bar with counts and a rate on a terminal, and stops between batches by Ctrl-C, to go on later", async () => {
    await fill();
    await using shell = terminal(["purge", "--pattern", "many:*", "--yes", ...place], {
      columns: 120,
      env: { NO_COLOR: "1" },
    });
    const shown = await shell.showing(
      /=+-* +Deleting \d+ %, [\d,]+ deleted \([\d.]+ KiB\), [\d,]+ keys of 60,00\d, [\d,]+\/s/,
    );
    expect(shown).toContain("\r");
    shell.type("\x03");
    expect(await shell.ended()).toBe(130);
    expect(shell.shown()).toMatch(
      /Interrupted: [\d,]+ entries deleted so far\. .*`valkey-edge-cache purge --pattern 'many:\*' --yes/,
    );
    const left = (await cache.keys("many:*")).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(MANY);
    expect(await cli(["purge", "--pattern", "many:*", "--yes", ...place])).toMatchObject({ code: 0 });
    expect(await stored()).toEqual(ALL);
  }, 60_000);

  it("is reported as JSON when it is interrupted, and nothing else is on standard output", async () => {
    await fill();
    await using shell = terminal(["purge", "--pattern", "many:*", "--yes", "--json", ...place]);
    await shell.showing("Deleting");
    shell.type("\x03");
    expect(await shell.ended()).toBe(130);
    const line = shell
      .shown()
      .split("\n")
      .find((one) => one.startsWith("{"));
    expect(JSON.parse(line ?? "")).toMatchObject({ interrupted: true });
  }, 60_000);

  it("that loses its server ends at once with what was done", async () => {
    await fill();
    const ended = cli(["purge", "--pattern", "many:*", "--yes", ...place]);
    await until(async () => (await cache.keys("many:*")).length < MANY, { what: "the first batch", everyMs: 1 });
    await server.kill("SIGKILL");
    const { code, stderr } = await ended;
    await server.restart();
    expect(code).toBe(1);
    expect(stderr).toMatch(/Stopped: [\d,]+ entries deleted so far/);
    expect(stderr).toMatch(/error: /);
  }, 60_000);

  it("ends at once by a second Ctrl-C, also while the server hangs", async () => {
    await fill();
    await using shell = terminal(["purge", "--pattern", "many:*", "--yes", "--timeout", "1m", ...place]);
    await shell.showing("Deleting");
    await server.kill("SIGSTOP");
    // Two signals within half a second count as one, as npx may forward the terminal's.
    const pressing = setInterval(() => shell.type("\x03"), 300);
    try {
      expect(await shell.ended()).toBe(130);
    } finally {
      clearInterval(pressing);
      await server.kill("SIGCONT");
    }
  }, 60_000);
});

describe("a reader that leaves, as head does", () => {
  it("ends the scan and the command without a word", async () => {
    await cache.setMany(Array.from({ length: 20_000 }, (_, i) => [`k:${i}`, i] as const));
    const line = `"$0" "$@" | head -1; echo "${"$"}{PIPESTATUS[0]}"`;
    const { stdout, stderr } = await shell(["bash", "-c", line, process.execPath, CLI, "keys", ...place]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^STATE .*\n0\n$/);
  });
});
