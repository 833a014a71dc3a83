import { expect, inject, it } from "vitest";
import { hasBrowser, startBrowser } from "../support/browser.js";
import { until } from "../support/wait.js";
import { startService } from "./service.js";

const MINUTE_MS = 60_000;

it.skipIf(!hasBrowser).each(["memory:", "Valkey"])(
  "a newcomer sees hit ratio, herd and a decoded entry within a minute of the start, over %s",
  async (store) => {
    const startedMs = performance.now();
    await using service = await startService({ VALKEY_URL: store === "Valkey" ? inject("valkeyUrl") : store });
    const address = await until(() => /Inspector: (http:\S+)/.exec(service.output())?.[1], { what: "both addresses" });
    await using browser = await startBrowser();
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    const inspector = await context.newPage();
    await page.goto(service.url);
    await inspector.goto(address);

    await page.getByRole("button", { name: "Berlin" }).click();
    const status = page.locator("#status-field");
    await until(
      async () => {
        await page.getByRole("button", { name: "Ask again" }).click();
        return /; hit; ttl=\d+/.test((await status.textContent()) ?? "");
      },
      { what: "a hit, explained", everyMs: 100, timeoutMs: 20_000 },
    );
    // What is counted begins with the inspector's first look, so the newcomer asks on until it shows.
    const ratio = inspector.locator(".ratio");
    await until(
      async () => {
        await page.getByRole("button", { name: "Ask again" }).click();
        return /^[\d.]+\s?%$/.test((await ratio.textContent()) ?? "");
      },
      { what: "a hit ratio", everyMs: 200, timeoutMs: 20_000 },
    );

    await inspector.getByRole("link", { name: "Herd" }).click();
    await page.getByRole("button", { name: "500 callers at once" }).click();
    const now = inspector.getByRole("row", { name: /^This process, last second/ });
    await until(
      async () => {
        const [leases = "0", waiters = "0"] = await now.getByRole("cell").allTextContents();
        return Number(leases) + Number(waiters) > 0;
      },
      { what: "a lease or a waiter", timeoutMs: 20_000 },
    );
    await page.getByRole("heading", { name: "1 load for 500 callers" }).waitFor();

    await inspector.getByRole("link", { name: "Keys" }).click();
    await inspector.getByRole("link", { name: /:search:berlin$/ }).click();
    await inspector.getByRole("heading", { name: "Value" }).waitFor();
    expect(await inspector.locator("main").textContent()).toMatch(/json.*Berlin.*DE/s);

    expect(performance.now() - startedMs).toBeLessThan(MINUTE_MS);
    console.log(`hit ratio, herd and a decoded entry after ${Math.round(performance.now() - startedMs)} ms`);
  },
  MINUTE_MS + 30_000,
);
