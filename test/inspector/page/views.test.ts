import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hasBrowser, startBrowser } from "../../support/browser.js";
import { until } from "../../support/wait.js";
import { type Answers, busyAnswers, countsOf } from "./answers.js";
import { type OpenOptions, openTab, VIEWS } from "./browser.js";
import { type PageServer, startPageServer } from "./server.js";

describe.skipIf(!hasBrowser)("the page of the inspector, in a browser", () => {
  let browser: Browser;
  let server: PageServer;
  let answers: Answers;

  beforeAll(async () => {
    browser = await startBrowser();
  });

  afterAll(() => browser?.close());

  beforeEach(async () => {
    answers = busyAnswers();
    server = await startPageServer(answers);
    return () => server[Symbol.asyncDispose]();
  });

  /** Opens a view, and fails the test if the page does what it may not. */
  async function open(view: string, options: OpenOptions, test: (page: Page) => Promise<void>): Promise<void> {
    const { page, problems } = await openTab(browser, options);
    try {
      await page.goto(`${server.url}#/${view}`);
      await test(page);
      expect(problems).toEqual([]);
    } finally {
      await page.close();
    }
  }

  const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });
  const banner = (page: Page) => page.locator(".banner");

  describe("overview", () => {
    it("shows the hit ratio, rates, latencies, the breaker and the near cache", () =>
      open("overview", {}, async (page) => {
        await page.getByText("97.6 %", { exact: true }).waitFor();
        await page.getByText("1,284/s").waitFor();
        await page.getByRole("row", { name: /Loaders 38 ms 412 ms 1\.9 s/ }).waitFor();
        await page.getByText("Closed: commands are sent to the store").waitFor();
        await page.getByText("18.4 MB").waitFor();
        await page.getByText("The cache works").waitFor();
        await page.getByText("Fleet · 3 processes").click();
        await page.getByText("3,852/s").waitFor();
      }));

    it("says in words what the chart shows, and keeps 15 minutes", () =>
      open("overview", {}, async (page) => {
        const chart = page.getByRole("img");
        await until(async () => (await chart.getAttribute("aria-label"))?.includes("hit ratio 97.6 %"), {
          what: "words",
        });
        const now = Date.now();
        for (let second = 1_200; second >= 0; second -= 1) server.tick(now - second * 1_000 + 1_300_000);
        await page.getByText("As a table").click();
        const rows = page.getByRole("table", { name: "Counts by minute" }).getByRole("row");
        await until(async () => (await rows.count()) >= 16, { what: "15 minutes" });
        expect(await rows.count()).toBeLessThanOrEqual(18);
      }));

    it("says that there were no calls since it was opened", () => {
      answers.live = {
        ...answers.live,
        process: { ...answers.live.process, now: countsOf(), total: { ...countsOf(), seconds: 4 } },
      };
      return open("overview", {}, (page) => page.getByText("No calls since you opened this page").waitFor());
    });

    it("says how many events were dropped", () => {
      answers.live = { ...answers.live, dropped: 8_123 };
      return open("overview", {}, (page) => page.getByText("8,123: this browser reads").waitFor());
    });

    it("ends its stream when it was hidden for a while, and goes on when it is seen", async () => {
      const { page, problems } = await openTab(browser);
      await page.clock.install();
      await page.goto(server.url);
      await page.getByText("Live", { exact: true }).waitFor();
      const setVisibility = (state: string) =>
        page.evaluate((value) => {
          Object.defineProperty(document, "visibilityState", { value, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }, state);
      await setVisibility("hidden");
      const pass = async (seconds: number) => {
        for (let second = 0; second < seconds; second += 1) {
          server.tick();
          await page.clock.fastForward(1_000);
        }
      };
      await pass(15);
      expect(server.streams).toBe(1);
      await pass(6);
      await until(() => server.streams === 0, { what: "the end of the stream" });
      await setVisibility("visible");
      await page.getByText("Live", { exact: true }).waitFor();
      expect(server.streams).toBe(1);
      expect(problems).toEqual([]);
      await page.close();
    });
  });

  describe("states", () => {
    it.each([
      { status: 401, title: "You are not logged in" },
      { status: 403, title: "This inspector refuses you" },
    ])("says that a browser is refused with $status, and goes on when it is let in", ({ status, title }) => {
      answers.status = status;
      return open("overview", { allowsFailures: true }, async (page) => {
        await banner(page).getByText(title).waitFor();
        answers.status = undefined;
        await page.getByRole("button", { name: "Try now" }).click();
        await page.getByText("Live", { exact: true }).waitFor();
        expect(await banner(page).count()).toBe(0);
      });
    });

    it("reconnects to a service that was gone, and says that it has restarted", () =>
      open("herd", { allowsFailures: true }, async (page) => {
        await page.getByText("Live", { exact: true }).waitFor();
        server.setGone(true);
        await banner(page).getByText("Reconnecting").waitFor();
        await banner(page)
          .getByText(/without an answer\. (Next attempt in \d+ s|Trying now)/)
          .waitFor();
        const before = server.requests.length;
        await until(() => server.requests.length >= before + 2, { what: "further attempts" });
        answers.info = { ...answers.info, processId: "web-9" };
        server.setGone(false);
        await page.getByRole("button", { name: "Try now" }).click();
        await banner(page).getByText("The service has restarted").waitFor();
        await page.getByText("Live", { exact: true }).waitFor();
      }));

    it("says that the store can't be reached, and with which error", () => {
      const process = {
        ...answers.live.process,
        breaker: "open" as const,
        lastError: "connect ECONNREFUSED 10.0.4.9:6379",
      };
      answers.live = { ...answers.live, process, fleet: undefined };
      return open("overview", {}, async (page) => {
        await banner(page).getByText("The store can't be reached").waitFor();
        await banner(page).getByText("connect ECONNREFUSED 10.0.4.9:6379").waitFor();
        await page.getByText("Not known while the store can't be reached").waitFor();
      });
    });

    it.each(["keys", "entry?key=shop:1:a", "health"])("shows the error of a failed request in #/%s", (view) =>
      open("overview", { allowsFailures: true }, async (page) => {
        await page.getByText("Live", { exact: true }).waitFor();
        answers.status = 503;
        await page.goto(`${server.url}#/${view}`);
        await page.getByRole("alert").getByText("refused with 503").waitFor();
      }),
    );
  });

  describe("herd", () => {
    it("shows callers, lease holders and waiters in a picture and in words, leases, and the fleet", () =>
      open("herd", {}, async (page) => {
        const words =
          "3,633 were answered with fresh values, 126 with stale ones. 7 callers hold a lease and load, 96 wait for them.";
        await page.getByRole("region", { name: "The herd in the last second" }).getByText(words).waitFor();
        const leases = page.getByRole("table", { name: "Leases held now" });
        await leases.getByRole("row", { name: /winter boots web-2/ }).waitFor();
        await page.getByRole("row", { name: /10\.0\.4\.10 · web-1 this one 1,284 97\.6 %/ }).waitFor();
        await leases.getByRole("link", { name: "shop:1:product:8812" }).click();
        await heading(page, "Entry").waitFor();
      }));

    it("explains a cache without leases", () => {
      answers.info = { ...answers.info, client: "default" };
      return open("herd", {}, (page) => page.getByText("This cache has no leases").waitFor());
    });
  });

  it("links hot definitions to their keys, and hot keys to their entries", () =>
    open("hottest", {}, async (page) => {
      await page.getByRole("table", { name: "Hottest keys" }).getByRole("link", { name: "shop:1:user:7" }).click();
      await heading(page, "Entry").waitFor();
      await page.goBack();
      await page.getByRole("table", { name: "Slowest definitions" }).getByRole("link", { name: "report" }).click();
      await heading(page, "Keys").waitFor();
      expect(await page.getByLabel("Pattern of keys").inputValue()).toBe("report*");
    }));

  describe("health", () => {
    it("lists findings, the worst first, with what to do", () =>
      open("health", {}, async (page) => {
        await page.locator("#view").getByText("6 checks: 1 problem and 1 warning.").waitFor();
        const titles = await page.locator(".finding h2").allTextContents();
        expect(titles[0]).toMatch(/Problem.*eviction/);
        expect(titles.at(-1)).toMatch(/Skipped.*cluster/);
        await page.getByText("Set maxmemory-policy to allkeys-lru").waitFor();
        answers.findings = answers.findings.slice(2);
        await page.getByRole("button", { name: "Check again" }).click();
        await page.locator("#view").getByText("4 checks, and nothing to do.").waitFor();
      }));
  });

  describe("events", () => {
    it("lists the newest first, filters them, and pauses", () =>
      open("events", {}, async (page) => {
        const rows = page.getByRole("table").locator("tbody tr");
        await until(async () => (await rows.count()) === 5, { what: "five events" });
        expect(await rows.first().textContent()).toContain("hit");
        await page.getByLabel("Events that contain").fill("econnrefused error");
        await until(async () => (await rows.count()) === 1, { what: "one event" });
        await page.getByLabel("Events that contain").fill("");
        await page.getByRole("button", { name: "Pause" }).click();
        answers.live = { ...answers.live, events: answers.live.events.map((event) => ({ ...event, method: "later" })) };
        server.tick();
        await page.getByText("5 of the newest 5 events, paused.").waitFor();
        expect(await page.getByText("later").count()).toBe(0);
        await page.getByRole("button", { name: "Go on" }).click();
        await until(async () => (await page.getByText("later").count()) === 5, { what: "later events" });
      }));
  });

  describe("keyboard, links and preferences", () => {
    it("skips to the content, and reaches every part by Tab without a trap", () =>
      open("keys", {}, async (page) => {
        await page.getByRole("link", { name: "shop:1:user:8807" }).waitFor();
        await page.keyboard.press("Tab");
        const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
        expect(await focused()).toBe("Skip to content");
        const seen: unknown[] = [];
        for (let steps = 0; steps < 260; steps += 1) {
          await page.keyboard.press("Tab");
          seen.push(await focused());
        }
        expect(seen.indexOf("Overview")).toBeGreaterThan(0);
        expect(seen.indexOf("List keys")).toBeGreaterThan(seen.indexOf("Overview"));
        expect(seen.indexOf("Next 100")).toBeGreaterThan(seen.indexOf("List keys"));
        expect(seen.lastIndexOf("Skip to content")).toBeGreaterThan(seen.indexOf("Next 100"));
        await page.locator(".skip").focus();
        await page.keyboard.press("Enter");
        expect(await focused()).toBe("main");
      }));

    it("opens views by single keys, lists them for ?, and can switch them off", () =>
      open("overview", {}, async (page) => {
        await page.keyboard.press("4");
        await heading(page, "Keys").waitFor();
        await page.keyboard.press("/");
        await page.keyboard.type("2");
        expect(await page.getByLabel("Pattern of keys").inputValue()).toBe("2");
        await page.keyboard.press("Tab");
        await page.getByRole("link", { name: "Health" }).focus();
        await page.keyboard.press("?");
        const dialog = page.getByRole("dialog", { name: "Keyboard shortcuts" });
        await dialog.getByText("Next colour scheme").waitFor();
        await dialog.getByLabel("Single keys do this").uncheck();
        await page.keyboard.press("Escape");
        await until(async () => (await dialog.count()) === 0, { what: "the end of the dialog" });
        await page.keyboard.press("2");
        await page.getByRole("link", { name: "Herd" }).click();
        await page.keyboard.press("3");
        await heading(page, "Herd").waitFor();
      }));

    it("has an address for each view, also for the way back, and moves the focus to its heading", () =>
      open("keys?pattern=user%3A*&ns=tenant-1", {}, async (page) => {
        await heading(page, "Keys").waitFor();
        expect(await page.getByLabel("Pattern of keys").inputValue()).toBe("user:*");
        await page.getByRole("link", { name: "Health" }).click();
        await heading(page, "Health").waitFor();
        expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Health");
        expect(await page.title()).toBe("Health · Cache inspector");
        await page.goBack();
        await heading(page, "Keys").waitFor();
        expect(await page.getByLabel("Pattern of keys").inputValue()).toBe("user:*");
        await page.goto(`${server.url}#/nowhere`);
        await heading(page, "Overview").waitFor();
      }));

    it("follows the system's colour scheme until another is chosen, and remembers it", () =>
      open("overview", { scheme: "dark" }, async (page) => {
        const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const dark = await background();
        await page.getByRole("button", { name: "Colour scheme: Auto" }).click();
        expect(await background()).not.toBe(dark);
        await page.reload();
        await page.getByRole("button", { name: "Colour scheme: Light" }).click();
        expect(await background()).toBe(dark);
      }));

    it.each(VIEWS)("fits on a screen of 360 pixels: #/%s", (view) =>
      open(view, { width: 360, height: 740 }, async (page) => {
        await page.getByText("Live", { exact: true }).waitFor();
        await until(() => page.locator("#view").textContent(), { what: "content" });
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
      }),
    );

    it("moves nothing where motion is to be reduced", () =>
      open("herd", { reducedMotion: true }, async (page) => {
        await page.getByText("Live", { exact: true }).waitFor();
        server.tick();
        expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
      }));
  });
});
