import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Cache, createCache, herd } from "../../src/index.js";
import { run } from "../support/cli.js";
import { command } from "../support/command.js";
import { documented, importBlock, writeBlock } from "../support/docs.js";
import { freePort } from "../support/ports.js";
import { build, root } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

const LOCATION = "valkey://localhost:6379";
let server: ValkeyServer;

beforeAll(async () => {
  await build();
  server = await startValkey();
  return () => server.stop();
}, 120_000);

/** Runs a block as a process, over the server. */
async function printed(file: string): Promise<string> {
  const { code, stdout, stderr } = await run([process.execPath, file]);
  expect(code, stderr).toBe(0);
  return stdout;
}

describe("docs/concepts", () => {
  it("stampedes.md: a hundred callers in each of four processes load once", async () => {
    const block = documented("concepts/stampedes.md", "A hundred callers");
    const files = Array.from({ length: 4 }, () => writeBlock(block, { [LOCATION]: server.url }));
    const lines = await Promise.all(files.map(printed));
    const none = "100 answers, 0 load\n";
    expect(lines.sort()).toEqual([none, none, none, "100 answers, 1 load\n"]);
  });

  it("consistency.md: prints what its comments say", async () => {
    const block = documented("concepts/consistency.md", "let stored");
    const said = [...block.code.matchAll(/console\.log\(.*\); \/\/ (\d)/g)].map(([, value]) => value);
    expect(said).toEqual(["1", "1", "2"]);
    expect(await printed(writeBlock(block, { [LOCATION]: server.url }))).toBe(`${said.join("\n")}\n`);
  });

  it("consistency.md: every row names pages and test files that exist", () => {
    const page = readFileSync(join(root, "docs", "concepts", "consistency.md"), "utf8");
    const [, table = ""] = /^## The table\n([\s\S]*?)\n## /m.exec(page) ?? [];
    const rows = table
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .slice(1)
      .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "").trim()));
    expect(rows.length).toBeGreaterThan(12);
    for (const [about = "", promised, not, pages = "", tests = ""] of rows) {
      expect([promised, not], about).not.toContain("");
      const files = [...tests.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file);
      expect(files, about).not.toEqual([]);
      for (const file of files) {
        expect(file, about).toMatch(/^test\/.*\.test\.ts$/);
        expect(existsSync(join(root, file)), `${file} of "${about}"`).toBe(true);
      }
      const links = [...pages.matchAll(/\]\(([^)#]*)/g)].map(([, link = ""]) => link);
      expect(links, about).not.toEqual([]);
      for (const link of links) {
        const path = join(root, "docs", "concepts", link === "" ? "consistency.md" : link);
        expect(existsSync(path), `${link} of "${about}"`).toBe(true);
      }
    }
  });

  it("consistency.md: each region loads for itself, and a purge reaches all that can be reached", async () => {
    const other = await startValkey();
    onTestFinished(() => other.stop());
    const block = documented("concepts/consistency.md", "purgeEverywhere");
    const { regions, purgeEverywhere } = await importBlock<{
      regions: Cache[];
      purgeEverywhere(tags: string[]): Promise<void>;
    }>(block, { "valkey://eu.cache.example:6379": server.url, "valkey://us.cache.example:6379": other.url });
    onTestFinished(async () => void (await Promise.all(regions.map((cache) => cache.close()))));
    let loads = 0;
    const read = () =>
      Promise.all(regions.map((cache) => cache.getOrSet("price", () => ++loads, { tags: ["prices"], ttl: "1h" })));
    expect((await read()).sort()).toEqual([1, 2]);
    await regions[0]?.purgeTags(["prices"]);
    expect((await read()).filter((value) => value > 2)).toEqual([3]);
    await purgeEverywhere(["prices"]);
    expect((await read()).sort()).toEqual([4, 5]);
    await other.stop();
    await expect(purgeEverywhere(["prices"])).rejects.toThrow(AggregateError);
    expect(await regions[0]?.get("price")).toBeUndefined();
  });

  it("failures.md: getOrSet answers and other methods reject while the server is gone, within the deadline", async () => {
    const port = await freePort();
    const block = documented("concepts/failures.md", "export const greeting");
    const { greeting, remember, close } = await importBlock<{
      greeting(): Promise<string>;
      remember(name: string): Promise<boolean>;
      close(): Promise<void>;
    }>(block, { [LOCATION]: `valkey://127.0.0.1:${port}` });
    onTestFinished(() => close());
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    onTestFinished(() => warn.mockRestore());
    expect(await greeting()).toBe("hello");
    expect(warn).toHaveBeenCalledWith("cache:", "getOrSet", ":1:greeting", expect.stringMatching(/^ConnectionError: /));
    expect(await remember("Ann")).toBe(false);

    const well = await importBlock<{ remember(name: string): Promise<boolean>; close(): Promise<void> }>(block, {
      [LOCATION]: server.url,
    });
    onTestFinished(() => well.close());
    expect(await well.remember("Ann")).toBe(true);
  });

  it("failures.md: the table says what getOrSet, get and set do at servers that are down, hang, are full, read-only or refuse", async () => {
    const page = readFileSync(join(root, "docs", "concepts", "failures.md"), "utf8");
    const [, table = ""] = /^## What callers see\n([\s\S]*?)\n## /m.exec(page) ?? [];
    const rowOf = (about: string) => table.split("\n").find((line) => line.startsWith(`| ${about}`)) ?? "";
    const own = async (...args: string[]) => {
      const started = await startValkey({ args });
      onTestFinished(() => started.stop());
      return started;
    };
    const stored = async (one: ValkeyServer) => {
      await using cache = createCache({ location: one.url, client: herd() });
      await cache.set("stored", 1);
      return one;
    };
    const full = await stored(await own());
    await command(full.port, ["CONFIG", "SET", "maxmemory", "1"]);
    const replica = await stored(await own());
    await command(replica.port, ["REPLICAOF", server.host, String(await freePort())]);
    const hanging = await own();
    const locked = await own("--requirepass", "secret");
    const refusing = await stored(await own());
    await command(refusing.port, ["ACL", "SETUSER", "default", "-set"]);
    const cases: [about: string, location: string, reads: number | string, writes: string][] = [
      ["is down", `valkey://127.0.0.1:${await freePort()}`, "ConnectionError", "ConnectionError"],
      ["is slow", hanging.url, "TimeoutError", "TimeoutError"],
      ["is full", full.url, 1, "ReplyError"],
      ["is read-only", replica.url, 1, "ReplyError"],
      ["refuses a command", refusing.url, 1, "ReplyError"],
      ["refuses the login", locked.url, "ConnectionError", "ConnectionError"],
    ];
    for (const [about, location, reads, writes] of cases) {
      await using cache = createCache({ location, client: herd(), commandTimeout: "300ms", onError: () => {} });
      const kind = (error: unknown) => (error instanceof Error ? error.name : "none");
      if (about === "is slow") {
        // The connection is open already: otherwise nothing would be slow but the dial.
        await cache.get("stored");
        await hanging.kill("SIGSTOP");
      }
      expect(await cache.get("stored").catch(kind), about).toBe(reads);
      expect(await cache.set("stored", 2).catch(kind), about).toBe(writes);
      expect(await cache.getOrSet("missing", () => "loaded"), about).toBe("loaded");
      if (reads === 1) expect(await cache.getOrSet("stored", () => "loaded"), about).toBe(1);
      expect(rowOf(about), about).toContain(writes);
    }
  });

  it("invocations.md: views of requests share what the process has, and end alone", async () => {
    const block = documented("concepts/invocations.md", "export async function handle");
    const { handle, shutDown } = await importBlock<{
      handle(request: Request, waitUntil?: (work: Promise<unknown>) => void): Promise<Response>;
      shutDown(): Promise<void>;
    }>(block, { [LOCATION]: server.url });
    onTestFinished(() => shutDown());
    const ask = async () => (await handle(new Request("http://localhost/"), () => {})).json();
    expect(await Promise.all([ask(), ask()])).toEqual([{ name: "Ann" }, { name: "Ann" }]);
    expect(await ask()).toEqual({ name: "Ann" });
  });
});
