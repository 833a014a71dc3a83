import { Hono } from "hono";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { inspector } from "../../src/inspector/index.js";
import { hasBrowser, startBrowser } from "../support/browser.js";
import { until } from "../support/wait.js";
import { everyone, listen, openCache, serveInspector } from "./app.js";

describe.runIf(hasBrowser)("the inspector in a browser", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await startBrowser();
  }, 60_000);

  afterAll(() => browser?.close());

  /** A page, and what it complains of: violations of the policy are messages of the console. */
  async function open(url: string): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    return { page, complaints };
  }

  it.each<[string, (app: Hono, own: Hono) => unknown]>([
    ["app.route", (app, own) => app.route("/cache", own)],
    [
      "app.mount, which shows the inspector the same path with and without a slash",
      (app, own) => app.mount("/cache", own.fetch),
    ],
  ])(
    "shows its page at a path without a slash, and the page its data, by %s",
    async (_how, mount) => {
      const cache = openCache({ location: inject("valkeyUrl") });
      await cache.set("user:1", { name: "Ann" });
      const app = new Hono();
      mount(app, inspector({ cache, authorize: everyone, allowChanges: true }));
      const { page, complaints } = await open(`${await listen(app.fetch)}/cache`);
      await until(() => page.url().includes("/cache/"), { what: "the slash" });
      const prefix = String(cache.makeKey("x")).split(":", 1)[0] ?? "";
      await until(async () => (await page.textContent("#where"))?.includes(prefix), { what: "the cache's prefix" });
      const state = () => page.getAttribute("#connection", "data-state");
      await until(async () => !["connecting", "lost"].includes((await state()) ?? "lost"), { what: "live data" });
      expect(complaints).toEqual([]);
    },
    60_000,
  );

  it("is changed by its own page, and not by a page of another port, which has the browser's cookie", async () => {
    const cache = openCache();
    await cache.set("a", 1);
    const base = `${await serveInspector({ cache, allowChanges: true })}/cache`;
    const { page } = await open(`${base}/`);
    const evil = await browser.newPage();
    onTestFinished(() => evil.close());
    await page.evaluate(async () => (await fetch("api/info")).text());
    const strange = new Hono().get("/", (c) => c.html("<!doctype html><title>another page</title>"));
    await evil.goto(await listen(strange.fetch));
    const body = JSON.stringify({ by: "key", key: "a" });
    const attack = (given: { url: string; body: string }) =>
      evil.evaluate(async ({ url, body }) => {
        const outcomes: string[] = [];
        for (const init of [
          { mode: "no-cors" as const, headers: { "content-type": "text/plain" } },
          { mode: "cors" as const, headers: { "content-type": "application/json", "x-csrf-token": "a.b" } },
          { mode: "cors" as const, headers: { "content-type": "text/plain" } },
        ]) {
          const sent = fetch(url, { method: "POST", credentials: "include", body, ...init });
          outcomes.push(
            await sent.then(
              ({ type }) => type,
              () => "refused",
            ),
          );
        }
        const read = fetch(url.replace("purge", "info"), { credentials: "include" });
        outcomes.push(
          await read.then(
            ({ type }) => type,
            () => "refused",
          ),
        );
        return outcomes;
      }, given);
    // An opaque response was sent, and is a refusal: nothing can be read of it.
    expect(await attack({ url: `${base}/api/purge`, body })).toEqual(["refused", "refused", "refused", "refused"]);
    expect(await cache.get("a")).toBe(1);
    const own = await page.evaluate(async (body) => {
      const { token } = (await (await fetch("api/info")).json()) as { token: string };
      const headers = { "content-type": "application/json", "x-csrf-token": token };
      return (await fetch("api/purge", { method: "POST", headers, body })).status;
    }, body);
    expect(own).toBe(200);
    expect(await cache.get("a")).toBeUndefined();
    // Nor is it shown within another page.
    await evil.setContent(`<iframe src="${base}/"></iframe>`);
    const frame = evil.frames().at(-1);
    expect(await frame?.locator("#where").count()).toBe(0);
  }, 60_000);
});
