import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser, startBrowser } from "../../support/browser.js";
import { busyAnswers } from "./answers.js";
import { openTab, VIEWS } from "./browser.js";
import { type PageServer, startPageServer } from "./server.js";

/** Defines `axe` in the page, by evaluation, which the page's policy doesn't concern. */
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
  readonly passes: readonly unknown[];
}

declare const axe: { run(options: object): Promise<AxeResults> };

const SIZES = [
  { size: "desktop", width: 1_280, height: 800 },
  { size: "phone", width: 390, height: 844 },
];

/** What a view shows when it is complete. */
const COMPLETE: Readonly<Record<string, string>> = {
  overview: "18.4 MB",
  herd: "10.0.4.10 · web-1",
  hottest: "512,400",
  keys: "100 keys found so far",
  entry: "Winter boots",
  purge: "Preview",
  health: "1 problem and 1 warning",
  events: "5 of the newest",
};

describe.skipIf(!hasBrowser)("axe on the page of the inspector", () => {
  let browser: Browser;
  let server: PageServer;

  beforeAll(async () => {
    browser = await startBrowser();
    server = await startPageServer(busyAnswers());
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  describe.each(SIZES)("on a $size", ({ width, height }) => {
    it.each(["light", "dark"] as const)(
      "finds nothing in any view in %s colours",
      async (scheme) => {
        const { page } = await openTab(browser, { width, height, scheme, reducedMotion: true });
        for (const view of [...VIEWS, "help", "preview"]) {
          const path = view === "help" ? "overview" : view === "preview" ? "purge?by=tag&tags=news" : view;
          await page.goto(`${server.url}#/${path}`);
          const name = path.split("?")[0] ?? "";
          await page
            .getByText(COMPLETE[name] ?? "")
            .first()
            .waitFor();
          if (view === "help") await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
          if (view === "preview") {
            await page.getByRole("button", { name: "Preview" }).click();
            await page.getByLabel("Type 12480 to confirm").waitFor();
          }
          await page.evaluate(AXE);
          const { violations, passes } = await page.evaluate(() => axe.run({ resultTypes: ["violations", "passes"] }));
          expect(passes.length).toBeGreaterThan(10);
          const found = violations.flatMap(({ id, nodes }) =>
            nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
          );
          expect(found, `${view} in ${scheme} at ${width}`).toEqual([]);
          if (view === "help") await page.keyboard.press("Escape");
        }
        await page.close();
      },
      120_000,
    );
  });

  it("finds nothing while the service is gone, refuses, or has no store", async () => {
    const { page } = await openTab(browser, { reducedMotion: true });
    await page.goto(server.url);
    await page.getByText("Live", { exact: true }).waitFor();
    const { live } = server.answers;
    const states = {
      "The store can't be reached": () => {
        server.answers.live = { ...live, process: { ...live.process, breaker: "open", lastError: "gone" } };
        server.tick();
      },
      "This inspector refuses you": () => {
        server.answers.status = 403;
        server.cut();
      },
    };
    for (const [text, begin] of Object.entries(states)) {
      begin();
      await page.locator(".banner").getByText(text).waitFor();
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => axe.run({}));
      expect(
        violations.map(({ id }) => id),
        text,
      ).toEqual([]);
    }
    await page.close();
  }, 60_000);
});
