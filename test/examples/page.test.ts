import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hasBrowser, startBrowser } from "../support/browser.js";
import { manifest } from "../support/project.js";
import { until } from "../support/wait.js";
import { type Service, startService } from "./service.js";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The rules of accessibility that the page breaks, each with what breaks it. */
async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate<string[]>(
    "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target)))",
  );
}

describe.skipIf(!hasBrowser)("the page, in a browser", () => {
  let service: Service;
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    service = await startService();
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    problems = [];
    page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
    page.on("pageerror", (error) => problems.push(error.message));
    return () => page.close();
  });

  const badge = () => page.getByRole("status").locator(".badge");
  const results = () => page.getByRole("region", { name: "Results" }).getByRole("listitem");

  it("searches by name, first with a miss, then with a hit, and writes both down", async () => {
    await page.goto(service.url);
    await page.getByLabel("Name, or part of it").fill("Lodz");
    await page.getByRole("button", { name: "Search" }).click();
    await badge().getByText("miss").waitFor();
    expect(await results().count()).toBe(10);
    expect(await results().first().textContent()).toMatch(/Łódź.*Poland/);
    expect(await page.locator("#load-time").textContent()).toMatch(/^[\d.]+ ms$/);
    await page.getByRole("button", { name: "Search" }).click();
    await badge().getByText("hit").waitFor();
    expect(await page.locator("#load-time").textContent()).toBe("none");
    expect(await page.locator("#trip-time").textContent()).toMatch(/^[\d.]+ ms$/);
    expect(await page.getByRole("row").allTextContents()).toEqual([
      expect.stringContaining("Question"),
      expect.stringMatching(/“Lodz”hit/),
      expect.stringMatching(/“Lodz”miss/),
    ]);
    expect(problems).toEqual([]);
  });

  it("finds the places around a point of the map, and around a result", async () => {
    await page.goto(service.url);
    const { width, height } = (await page.getByRole("img").boundingBox()) ?? { width: 0, height: 0 };
    await page.getByRole("img").click({ position: { x: width / 2, y: height / 2 } });
    await results().first().waitFor();
    expect(await page.getByLabel("Longitude").inputValue()).toBe("11.000");
    expect(await results().first().textContent()).toMatch(/\d (k?m)/);
    const name = (await results().nth(1).locator(".name").textContent()) ?? "";
    await results().nth(1).getByRole("button").click();
    await results().first().getByText(name, { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it("asks where the reader is", async () => {
    await page.context().grantPermissions(["geolocation"]);
    await page.context().setGeolocation({ latitude: 35.68, longitude: 139.69 });
    await page.goto(service.url);
    await page.getByRole("button", { name: "Near me" }).click();
    await results().first().getByText("Japan").waitFor();
  });

  it("keeps the question in its address, for a friend and for the way back", async () => {
    await page.goto(`${service.url}/?q=paris&n=5`);
    await results().first().getByText("France").waitFor();
    expect(await results().count()).toBe(5);
    await page.getByLabel("Name, or part of it").fill("Rome");
    await page.keyboard.press("Enter");
    await results().first().getByText("Italy").waitFor();
    await page.goBack();
    await results().first().getByText("France").waitFor();
    expect(await page.getByLabel("Name, or part of it").inputValue()).toBe("paris");
  });

  it("shows what is wrong with a question, beside the field that it is about", async () => {
    await page.goto(service.url);
    await page.getByLabel("Latitude").fill("52,5");
    await page.getByLabel("Longitude").fill("13.4");
    await page.getByRole("button", { name: "Nearest" }).click();
    await page.getByRole("alert").getByText("lat is not a number").waitFor();
    expect(await page.getByLabel("Latitude").getAttribute("aria-invalid")).toBe("true");
    await page.getByLabel("Latitude").fill("52.5");
    await page.getByRole("button", { name: "Nearest" }).click();
    await badge().waitFor();
    expect(await page.getByRole("alert").textContent()).toBe("");
  });

  it("shows names as text, whatever is in them", async () => {
    await page.goto(`${service.url}/?q=${encodeURIComponent("<img src=x onerror=alert(1)>")}`);
    await badge().waitFor();
    expect(await page.locator("#summary").textContent()).toContain("<img");
    expect(await page.locator("img").count()).toBe(0);
  });

  it("shows what the cache has done, and keeps up with it", async () => {
    await page.goto(service.url);
    const panel = page.getByRole("region", { name: "Statistics" });
    await panel.getByText("Hit ratio").waitFor();
    const requests = async () => Number(await panel.locator("dd").first().textContent());
    const before = await requests();
    await page.getByLabel("Name, or part of it").fill("Graz");
    await page.keyboard.press("Enter");
    await badge().waitFor();
    await until(async () => (await requests()) > before, { what: "the panel to count the question" });
    expect(await panel.textContent()).toMatch(
      /Hit ratio[\d.]+ %.*p50\)[\d.,]+ ms.*p99\)[\d.,]+ ms.*Handler runs\d+.*Errors0/,
    );
    expect(problems).toEqual([]);
  });

  it("explains each part of Cache-Status in words, as the answer has it", async () => {
    await page.goto(`${service.url}/?q=Quito`);
    await badge().getByText("miss").waitFor();
    await page.getByRole("button", { name: "Ask again" }).click();
    await badge().getByText("hit").waitFor();
    expect(await page.locator("#status-field").textContent()).toMatch(
      /^Cache-Status: valkey-edge-cache; hit; ttl=\d+; key="/,
    );
    const parts = await page.locator("#status-parts").textContent();
    expect(parts).toMatch(
      /hit.*the handler did not run.*ttl=\d+.*stays fresh for another \d+ min.*Stored under this key/,
    );
    expect(problems).toEqual([]);
  });

  it.each([
    ["a; fwd=uri-miss; stored", [/nothing was stored for this question/, /was stored, for all who ask next/]],
    ["a; fwd=stale; fwd-status=304", [/no longer fresh/, /answered with status 304; the reader gets another one/]],
    ["a; hit; ttl=60", [/did not run/, /fresh for another 1 min\./]],
    ["a; hit; ttl=-75", [/did not run/, /fresh until 1 min 15 s ago/]],
    ["a; fwd=miss; collapsed", [/nothing was stored that can answer it/, /the handler ran once for both/]],
    ["a; fwd=miss; collapsed=?0; stored=?0", [/nothing was stored/, /went on alone/, /was not stored/]],
    ['a; fwd=miss; key="x, \\"y; z\\""; detail=no-lease', [/nothing/, /this key: x, "y; z"\./, /no right to replace/]],
    ["a; fwd=bypass; detail=authorization", [/told not to handle it/, /the request had credentials/]],
    ['a; fwd=method; detail="why, so"', [/its method is not one/, /In detail: why, so\./]],
    ["a; fwd=vary-miss; later=1", [/other header fields/, /RFC 9211 doesn't name/]],
    ["a; fwd=request", [/asked for a new answer/]],
    ["a; fwd=partial", [/only a part/]],
    ["a; fwd=new-reason", [/the reason is “new-reason”/]],
    ['"origin; cache", b; hit', [/by its name/, /did not run/]],
  ])("explains the Cache-Status %s", async (field, texts) => {
    await page.route("**/cities/search*", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), "cache-status": field } });
    });
    await page.goto(`${service.url}/?q=Quito`);
    await badge().waitFor();
    const parts = page.locator("#status-parts dd");
    const explained = (await parts.allTextContents()).filter((text) => !text.startsWith("The cache that says this"));
    for (const [i, text] of texts.slice(field.includes('"origin') ? 1 : 0).entries())
      expect(explained[i]).toMatch(text);
    const codes = await page.locator("#status-parts code").allTextContents();
    expect(codes.join("; ").replace('"origin; cache"; b', '"origin; cache", b')).toBe(field);
  });

  it("shows the code of the route beside its answer, and which part of it a hit left out", async () => {
    await page.goto(`${service.url}/?q=Lima`);
    await badge().getByText("miss").waitFor();
    expect(await page.locator("#code").textContent()).toMatch(
      /app\.get\("\/cities\/search"[\s\S]*search: define\(cache/,
    );
    expect(await page.locator("#code-note").textContent()).toMatch(/so the handler ran/);
    expect(await page.locator("#code .did-not-run").count()).toBe(0);
    await page.getByRole("button", { name: "Ask again" }).click();
    await badge().getByText("hit").waitFor();
    expect(await page.locator("#code-note").textContent()).toMatch(/in grey, did not run/);
    expect(await page.locator("#code .did-not-run").textContent()).toMatch(/^app\.get\("\/cities\/search"/);
    await results().first().getByRole("button").click();
    await page.locator("#code").getByText('app.get("/cities/near"').waitFor();
    expect(problems).toEqual([]);
  });

  it("says which cache it shows, and where its documentation is", async () => {
    await page.goto(service.url);
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("valkey-edge-cache");
    const link = page.getByRole("link", { name: "Documentation" });
    expect(await link.getAttribute("href")).toBe(manifest.homepage);
  });

  it("links to the inspector", async () => {
    await page.goto(service.url);
    const opened = page.waitForEvent("popup");
    await page.getByRole("link", { name: "Open the inspector" }).click();
    const inspector = await opened;
    await inspector.waitForURL(`${service.url}/inspector/**`);
    expect(await inspector.title()).toMatch(/inspector/i);
    await inspector.close();
  });

  const outcome = () => page.locator("#outcome");

  it("shows one load for 500 callers, in numbers", async () => {
    await page.goto(service.url);
    await page.getByRole("button", { name: "500 callers at once" }).click();
    await page.getByRole("heading", { name: "1 load for 500 callers" }).waitFor();
    const text = await outcome().textContent();
    expect(text).toMatch(/5 instances.*One of them computed the answer; the other 499 waited/);
    expect(text).toMatch(/Callers500Answer computedonceWaited499Computing took3,\d{3} ms/);
    expect(text).toMatch(/three seconds of waiting that stand in for a slow database/);
    expect(await outcome().locator("circle").count()).toBe(500);
    expect(await outcome().locator("circle.loader").count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it("purges: an answer is a hit before, a miss after it, and then a hit again", async () => {
    await page.goto(`${service.url}/?q=Bergen`);
    await badge().waitFor();
    await page.getByRole("button", { name: "Purge" }).click();
    await page.getByRole("heading", { name: "All that was stored is ended" }).waitFor();
    expect(await outcome().textContent()).toMatch(
      /“Bergen” was a hit before; the next answer was a miss, .*the one after that a hit.*Beforehit, [\d.]+ ms.*Next answermiss, [\d.]+ ms/,
    );
    expect(problems).toEqual([]);
  });

  it("makes the store fail: answers go on, the breaker opens, and hits come back", async () => {
    await page.goto(service.url);
    await page.getByRole("button", { name: "Make the store fail" }).click();
    await page.getByRole("heading", { name: "The store fails, and answers go on" }).waitFor();
    // One experiment at a time.
    const other = page.getByRole("button", { name: "Purge" });
    expect(await other.getAttribute("aria-disabled")).toBe("true");
    await page.getByRole("heading", { name: "Answers went on without the store" }).waitFor({ timeout: 25_000 });
    const text = (await outcome().textContent()) ?? "";
    expect(text).toMatch(
      /The store failed for 5 s, and is back\. \d+ questions were asked meanwhile: all were answered/,
    );
    expect(text).toMatch(
      /the circuit breaker opened\. From then on \d+ round trips were refused at once.*answers are hits again/,
    );
    expect(text).toMatch(/Failed0Slowest answer.*Tried in vain\d+Refused at once[1-9].*Circuit breakerclosed again/);
    expect(text).toMatch(/The failure is simulated/);
    expect(await outcome().locator(".bar-hit").count()).toBeGreaterThanOrEqual(5);
    expect(await outcome().locator(".bar-failed").count()).toBe(0);
    await until(async () => (await other.getAttribute("aria-disabled")) === "false", { what: "the other buttons" });
    expect(problems).toEqual([]);
  }, 40_000);

  it("says what went wrong with an experiment", async () => {
    await page.goto(service.url);
    await page.route("**/demo/callers", (route) =>
      route.fulfill({ status: 500, json: { error: { message: "The server failed" } } }),
    );
    await page.getByRole("button", { name: "500 callers at once" }).click();
    await page.getByRole("heading", { name: "That did not work" }).waitFor();
    expect(await outcome().textContent()).toContain("The server says: The server failed.");
  });

  it("keeps the buttons off until the server's token is given, where it has one", async () => {
    await using guarded = await startService({ INSPECTOR_TOKEN: "secret" });
    await page.goto(guarded.url);
    const button = page.getByRole("button", { name: "500 callers at once" });
    await page.getByText("They need the server's token.").waitFor();
    expect(await button.isDisabled()).toBe(true);
    await page.getByLabel("Token").fill("guess");
    await page.keyboard.press("Enter");
    await page.getByText("That is not the server's token.").waitFor();
    await page.getByLabel("Token").fill("secret");
    await page.keyboard.press("Enter");
    await until(() => button.isEnabled(), { what: "the buttons to be on" });
    await button.click();
    await page.getByRole("heading", { name: "1 load for 500 callers" }).waitFor();
    expect(problems).toEqual([]);
  });

  it("is used by keyboard alone", async () => {
    await page.goto(service.url);
    await page.getByRole("button", { name: "Purge" }).and(page.locator(":enabled")).waitFor();
    const focused = () => page.evaluate<string>("document.activeElement?.textContent ?? ''");
    const tabTo = async (name: string) => {
      for (let i = 0; i < 30 && (await focused()) !== name; i++) await page.keyboard.press("Tab");
      expect(await focused()).toBe(name);
    };
    await tabTo("Open the inspector");
    await tabTo("Berlin");
    await page.keyboard.press("Enter");
    await badge().waitFor();
    await tabTo("Ask again");
    await tabTo("What the cache did");
    await page.keyboard.press("Space");
    expect(await page.locator("#status-parts").isVisible()).toBe(false);
    await tabTo("Purge");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "All that was stored is ended" }).waitFor();
    // The button keeps the focus.
    expect(await focused()).toBe("Purge");
  });

  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 390],
    ["dark", 390],
  ] as const)("has nothing that axe finds fault with: %s, %i pixels wide", async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    await page.goto(service.url);
    await page.getByRole("button", { name: "Purge" }).and(page.locator(":enabled")).waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await page.getByRole("button", { name: "Berlin" }).click();
    await badge().waitFor();
    await page.getByRole("button", { name: "500 callers at once" }).click();
    await page.getByRole("heading", { name: "1 load for 500 callers" }).waitFor();
    expect(await axeFindings(page)).toEqual([]);
  });

  it("fits a narrow phone and a wide screen", async () => {
    for (const width of [320, 390, 768, 1440]) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(`${service.url}/?q=springfield`);
      await badge().waitFor();
      await page.getByRole("button", { name: "Purge" }).click();
      await page.getByRole("heading", { name: "All that was stored is ended" }).waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    }
  });
});
