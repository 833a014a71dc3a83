import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { widthOf } from "../../src/cli/terminal/width.js";
import { type Cache, createCache, herd, nearCache } from "../../src/index.js";
import { reportStatistics } from "../../src/inspect/fleet.js";
import { CLI, cli, run, terminal } from "../support/cli.js";
import { build } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

const ENTER = "\x1b[?1049h";
const LEAVE = "\x1b[?25h\x1b[?1049l";

let server: ValkeyServer;
let cache: Cache;
let place: string[];
let timer: NodeJS.Timeout;
let isHeld: () => void;

beforeAll(async () => {
  await build();
  server = await startValkey();
  place = ["--url", server.url, "--prefix", "app"];
  cache = createCache({ location: server.url, keyPrefix: "app", client: herd(), nearCache: nearCache() });
}, 120_000);

afterAll(async () => {
  clearInterval(timer);
  isHeld?.();
  await cache.close();
  await server.stop();
});

/** The text that the terminal shows in the end, of all frames. */
const lastFrame = (shown: string) => stripVTControlCharacters(shown.slice(shown.lastIndexOf("\x1b[H")));

describe("top, while no process reports", () => {
  it("shows the server's figures and the leases of a bounded scan", async () => {
    const holding = new Promise<void>((resolve) => {
      isHeld = resolve;
    });
    void cache.getOrSet("held", () => holding.then(() => 1)).catch(() => {});
    await cache.set("a", 1);
    const { code, stdout, stderr } = await cli(["top", "--once", "--json", ...place]);
    isHeld();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const sample = JSON.parse(stdout);
    expect(sample).toMatchObject({
      server: {
        version: expect.stringMatching(/^\d+\./),
        keys: expect.any(Number),
        rates: { commands: expect.any(Number) },
      },
      seenLeases: { keys: ["held"] },
      fleet: { processes: [] },
    });
    expect(sample.server.clients).toBeGreaterThanOrEqual(2);
    expect(sample.server.libraryClients).toBeGreaterThanOrEqual(2);
    expect(sample.server.trackingClients).toBeGreaterThanOrEqual(1);
    expect(sample.server.memoryBytes).toBeGreaterThan(100_000);
  });

  it("is one line a sample in a pipe, and ends with its reader", async () => {
    const line = `"$0" "$@" | head -2; echo "${"$"}{PIPESTATUS[0]}"`;
    const { stdout, stderr } = await run(["bash", "-c", line, process.execPath, CLI, "top", ...place]);
    expect(stderr).toBe("");
    const [first, second, code] = stdout.trim().split("\n");
    expect(first).toMatch(
      /^\d{4}-\d\d-\d\dT\S+ {2}memory .* {2}keys \d+ {2}clients \d+ {2}tracking \d+ {2}leases \d+ of \d+ keys?$/,
    );
    expect(second).toMatch(/ {2}commands \d+\/s {2}lookups /);
    expect(code).toBe("0");
  });
});

describe("top, while processes report", () => {
  let stop: () => void;

  beforeAll(() => {
    stop = reportStatistics(cache);
    let n = 0;
    timer = setInterval(() => {
      n++;
      void cache.getOrSet("user:1", async () => ({ n }), { ttl: "1h" }).catch(() => {});
      void cache
        .getOrSet(`slow:${n}`, () => new Promise((resolve) => setTimeout(() => resolve(n), 80)))
        .catch(() => {});
    }, 20);
  });

  afterAll(() => stop());

  it("shows calls, loads, leases and the slowest keys of the fleet, live, until q", async () => {
    await using shell = terminal(["top", ...place], { columns: 100, rows: 60 });
    await shell.showing(ENTER);
    await shell.showing(/CACHE, as 1 process reports/);
    await shell.showing("SLOWEST KEYS");
    const shown = lastFrame(shell.shown());
    expect(shown).toMatch(/SERVER, all its clients/);
    expect(shown).toMatch(/memory +[\d.]+ MiB/);
    expect(shown).toMatch(/near caches listen by \d+ connection/);
    shell.type("q");
    expect(await shell.ended()).toBe(0);
    expect(shell.shown()).toContain(LEAVE);
  }, 30_000);

  it("has them as JSON, one sample on each line", async () => {
    const { code, stdout } = await cli(["top", "--once", "--json", ...place]);
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    const { fleet, seenLeases } = JSON.parse(stdout);
    expect(fleet.processes).toHaveLength(1);
    expect(fleet.now.calls).toBeGreaterThan(10);
    expect(seenLeases).toBeUndefined();
  });

  it.each([40, 60, 120])("fits %i columns and the rows of the terminal", async (columns) => {
    await using shell = terminal(["top", ...place], { columns, rows: 20 });
    await shell.showing(/as 1 process reports/);
    shell.type("q");
    await shell.ended();
    for (const frame of shell.shown().split("\x1b[H").slice(1)) {
      const lines = frame.split("\x1b[?25h")[0]?.split("\n") ?? [];
      expect(lines.length).toBeLessThanOrEqual(20);
      for (const line of lines) expect(widthOf(line), JSON.stringify(line)).toBeLessThanOrEqual(columns);
    }
  });
});

describe("the terminal", () => {
  it.each([
    ["q", "q", 0],
    ["Ctrl-C", "\x03", 0],
  ])("is put back by %s", async (_what, key, code) => {
    await using shell = terminal(["top", ...place]);
    await shell.showing("q quits");
    shell.type(key);
    expect(await shell.ended()).toBe(code);
    expect(shell.shown()).toContain(LEAVE);
    expect(shell.shown().indexOf(LEAVE)).toBeGreaterThan(shell.shown().lastIndexOf("\x1b[H"));
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ])("is put back by %s", async (signal, code) => {
    await using shell = terminal(["top", ...place]);
    await shell.showing("q quits");
    const { stdout } = await run(["pgrep", "-f", `${CLI} top --url ${server.url}`]);
    const pids = stdout.trim().split("\n").map(Number);
    // The newest is the command itself, and not `script` or its shell.
    process.kill(pids.at(-1) ?? 0, signal);
    expect(await shell.ended()).toBe(code);
    expect(shell.shown()).toContain(LEAVE);
  });

  it("stays as it is while the server is gone, and top goes on when it is back", async () => {
    await using shell = terminal(["top", ...place], { columns: 100, rows: 40 });
    await shell.showing("SERVER, all its clients");
    await server.kill("SIGKILL");
    await shell.showing(/(closed|lost|refused|reach|can't connect)/i);
    await server.restart();
    const before = shell.shown().length;
    await shell.showing(new RegExp(`^[^]{${before},}SERVER, all its clients`));
    shell.type("q");
    expect(await shell.ended()).toBe(0);
  }, 30_000);
});
