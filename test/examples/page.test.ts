import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hasBrowser, startBrowser } from "../support/browser.js";
import { until } from "../support/wait.js";
import { type Service, startService } from "./service.js";

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
      /Hit ratio[\d.]+ %.*p50\)[\d.]+ ms.*p99\)[\d.]+ ms.*Handler runs\d+.*Errors0/,
    );
    expect(problems).toEqual([]);
  });

  it("fits a narrow phone and a wide screen", async () => {
    for (const width of [320, 390, 768, 1440]) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(`${service.url}/?q=springfield`);
      await badge().waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    }
  });
});
