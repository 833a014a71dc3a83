import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser, startBrowser } from "../support/browser.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import {
  type Fleet,
  type Instance,
  type NextApp,
  nextApp,
  type Origin,
  shown,
  startFleet,
  startOrigin,
} from "./next-fleet.js";

let origin: Origin;
let first: NextApp;
let second: NextApp;

beforeAll(async () => {
  first = nextApp("components");
  second = nextApp("components");
  origin = await startOrigin();
  await first.build();
  await second.build({ buildId: "second" });
});

afterAll(async () => {
  await origin?.[Symbol.asyncDispose]();
  first?.[Symbol.dispose]();
  second?.[Symbol.dispose]();
});

const generation = (number: number) => ({ generation: number });

const keysOf = async ({ port }: ValkeyServer, part: string): Promise<string[]> =>
  [await command(port, ["KEYS", "*"])]
    .flat()
    .map(String)
    .filter((key) => key.includes(part));

describe("a deploy", () => {
  it("each build has its own entries while both run, and those of the old one are removed afterwards", async () => {
    await using valkey = await startValkey();
    const settings = { origin, valkeyUrl: valkey.url, handlers: "own" };
    const old = await first.start(settings);
    expect(await old.json("/value/local/deploy")).toEqual(generation(1));
    expect(await keysOf(valkey, "first")).not.toHaveLength(0);
    await using fresh = await second.start(settings);
    expect(await fresh.json("/value/local/deploy")).toEqual(generation(2));
    // For longer than a build without requests is kept.
    const end = performance.now() + 3_000;
    const bothServe = async () => {
      expect(await old.json("/value/local/deploy")).toEqual(generation(1));
      expect(await fresh.json("/value/local/deploy")).toEqual(generation(2));
      return performance.now() > end;
    };
    await until(bothServe, { what: "the rolling deploy", everyMs: 100 });
    expect(origin.calls("local-deploy")).toBe(2);
    await old[Symbol.asyncDispose]();
    const isRemoved = async () => {
      expect(await fresh.json("/value/local/deploy")).toEqual(generation(2));
      return (await keysOf(valkey, "first")).length === 0;
    };
    await until(isRemoved, { what: "the old entries to be removed", timeoutMs: 10_000, everyMs: 100 });
    expect(await keysOf(valkey, "second")).not.toHaveLength(0);
    expect(origin.calls("local-deploy")).toBe(2);
  });
});

describe.each([
  ["the application's own", "own", 500],
  ["the package's", "package", 1_000],
])("with %s handlers, a store", (_name, handlers, commandTimeoutMs) => {
  const name = (what: string) => `${what}-${handlers}`;

  /** Asks for a page, and says how long its answer took. */
  async function timed(instance: Instance, path: string): Promise<{ html: string; ms: number }> {
    const beganMs = performance.now();
    const html = await instance.text(path);
    return { html, ms: performance.now() - beganMs };
  }

  const isCached = async (instance: Instance, path: string) => {
    const once = shown(await instance.text(path));
    return once === shown(await instance.text(path));
  };

  it.each([
    ["killed", "SIGKILL"],
    ["frozen", "SIGSTOP"],
  ] as const)("that is %s delays no page beyond the time of a command, and is used again", async (what, signal) => {
    await using valkey = await startValkey();
    await using instance = await first.start({ origin, valkeyUrl: valkey.url, handlers });
    const warm = `/post/${name(`${what}-warm`)}`;
    await instance.text(warm);
    await valkey.kill(signal);
    const slow: number[] = [];
    for (const path of [warm, `/post/${name(`${what}-cold`)}`, warm, `/whole/${name(what)}`, "/whole/built"]) {
      slow.push(Math.round((await timed(instance, path)).ms));
    }
    const atOnce = Array.from({ length: 10 }, (_, i) => timed(instance, `/post/${name(`${what}-${i}`)}`));
    slow.push(...(await Promise.all(atOnce)).map(({ ms }) => Math.round(ms)));
    console.log(`${name(what)}: ${slow.join(", ")} ms`);
    // What a page asks for after the first failure is not waited for.
    expect(Math.max(...slow)).toBeLessThan(commandTimeoutMs + 500);
    if (signal === "SIGKILL") await valkey.restart();
    else await valkey.kill("SIGCONT");
    await until(() => isCached(instance, `/post/${name(`${what}-again`)}`), {
      what: "the page to be cached again",
      timeoutMs: 15_000,
      everyMs: 100,
    });
    expect(instance.log()).not.toMatch(/unhandled/i);
    expect((await instance.fetch("/")).status).toBe(200);
  });

  it("that was never there delays no page", async () => {
    await using instance = await first.start({ origin, valkeyUrl: "valkey://127.0.0.1:1", handlers });
    const { html, ms } = await timed(instance, `/post/${name("never")}`);
    expect(shown(html)).toBe("generation 1");
    expect(ms).toBeLessThan(commandTimeoutMs + 500);
    expect(instance.log()).not.toMatch(/unhandled/i);
  });
});

describe("next dev", () => {
  it("keeps its connections over several edits", async () => {
    await using valkey = await startValkey();
    await using instance = await second.start({ origin, valkeyUrl: valkey.url, command: "dev" });
    const connections = async () =>
      String(await command(valkey.port, ["CLIENT", "LIST"]))
        .split("\n")
        .filter((line) => line.includes("valkey-edge-cache")).length;
    const file = join(instance.folder, "app", "post", "[id]", "page.js");
    const source = readFileSync(file, "utf8");
    const counts: number[] = [];
    for (let edit = 1; edit <= 4; edit++) {
      writeFileSync(file, source.replace("generation ${", `edit ${edit} \${`));
      await until(async () => shown(await instance.text("/post/dev"))?.startsWith(`edit ${edit} `), {
        what: `edit ${edit}`,
        timeoutMs: 30_000,
        everyMs: 100,
      });
      counts.push(await connections());
    }
    console.log(`connections of next dev: ${counts.join(", ")}`);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
  });
});

describe.skipIf(!hasBrowser)("in a browser", () => {
  let valkey: ValkeyServer;
  let fleet: Fleet;
  let browser: Browser;

  beforeAll(async () => {
    [valkey, browser] = await Promise.all([startValkey(), startBrowser()]);
    fleet = await startFleet(first, { origin, valkeyUrl: valkey.url });
  });

  afterAll(async () => {
    await browser?.close();
    await fleet?.[Symbol.asyncDispose]();
    await valkey?.stop();
  });

  async function open(context: BrowserContext, path: string) {
    const page = await context.newPage();
    await page.goto(`${fleet.url}${path}`);
    const text = async (id: string) => (await page.locator(`#${id}`).textContent()) ?? "";
    return { page, text };
  }

  it("a reader who changes a post by updateTag sees the change at once and after navigation, whichever instance answers", async () => {
    const context = await browser.newContext();
    const { page, text } = await open(context, "/post/browser");
    expect(await text("generation")).toBe("generation 1");
    await page.locator("#update button").click();
    await until(async () => (await text("generation")) !== "generation 1", { what: "the change" });
    expect(await text("generation")).toBe("generation 2");
    // Next invalidates after the response of an action, so that it is generated once more.
    for (let times = 0; times < 2; times++) {
      await page.locator("#other").click();
      await page.locator("#local").waitFor();
      await page.goBack();
      await page.locator("#generation").waitFor();
      expect(await text("generation")).toMatch(/^generation [23]$/);
      await page.reload();
      expect(await text("generation")).toBe("generation 3");
    }
    const { text: other } = await open(await browser.newContext(), "/post/browser");
    expect(await other("generation")).toBe("generation 3");
    expect(origin.calls("local-browser")).toBe(3);
    await context.close();
  });

  it("draft mode is on for the client with the cookie only", async () => {
    const editor = await browser.newContext();
    const reader = await browser.newContext();
    expect(await (await open(reader, "/post/drafted")).text("generation")).toBe("generation 1");
    await editor.request.get(`${fleet.url}/draft`);
    const draft = await open(editor, "/post/drafted");
    expect([await draft.text("draft"), await draft.text("generation")]).toEqual(["draft", "generation 2"]);
    const published = await open(reader, "/post/drafted");
    expect([await published.text("draft"), await published.text("generation")]).toEqual(["published", "generation 1"]);
    await editor.request.get(`${fleet.url}/draft?off`);
    const again = await open(editor, "/post/drafted");
    expect([await again.text("draft"), await again.text("generation")]).toEqual(["published", "generation 1"]);
    await editor.close();
    await reader.close();
  });
});
