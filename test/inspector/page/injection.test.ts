import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser, startBrowser } from "../../support/browser.js";
import { until } from "../../support/wait.js";
import { type Answers, busyAnswers, rowOf } from "./answers.js";
import { openTab } from "./browser.js";
import { PAYLOADS } from "./payloads.js";
import { type PageServer, startPageServer } from "./server.js";

/** What a payload might have become. */
const FOREIGN =
  "img, iframe, object, embed, video, audio, script, form[action], base, link, style, math, marquee, template";

/** The text from which the page has made what it shows. */
function original(shown: string): string {
  return shown.replace(/\\u\{([0-9a-f]+)\}|\\u([0-9a-f]{4})/g, (_all, long?: string, short?: string) =>
    String.fromCodePoint(Number.parseInt(long ?? short ?? "", 16)),
  );
}

/** Whether a text is shown as text: all of it, or its beginning and its length. */
function isShown(shown: string, payload: string): boolean {
  const [beginning = "", length] = shown.split(/… \(([\d,]+) characters\)$/);
  if (length === undefined) return original(shown) === payload;
  return payload.startsWith(original(beginning)) && length === payload.length.toLocaleString("en");
}

/** Addresses have replacement characters for halves of surrogate pairs. */
function wellFormed(text: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

describe.skipIf(!hasBrowser)("hostile text on the page of the inspector", () => {
  let browser: Browser;
  let server: PageServer;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    browser = await startBrowser();
    server = await startPageServer(hostileAnswers());
    ({ page, problems } = await openTab(browser));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => {
        console.error(`a violation of ${violatedDirective}`);
      });
    });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  /** Touches all that can be touched, and looks for what a payload has done. */
  const nothingHasRun = async () => {
    const found = await page.evaluate(
      (foreign) => {
        for (const element of document.querySelectorAll("#view *")) {
          for (const type of ["mouseover", "focus", "error", "load", "toggle", "animationstart"])
            element.dispatchEvent(new Event(type));
        }
        const links = [...document.querySelectorAll<HTMLAnchorElement>("#view a")];
        return {
          pwned: "pwned" in window || "pwned" in {},
          foreign: document.querySelectorAll(`#view :is(${foreign})`).length,
          handlers: [...document.querySelectorAll("#view *")].filter(({ attributes }) =>
            [...attributes].some(({ name }) => /^on|^style$/.test(name)),
          ).length,
          links: links.filter(({ protocol, hash }) => protocol !== "http:" || !hash.startsWith("#/")).length,
        };
      },
      FOREIGN.replace("form[action], ", "").replace(", style", ""),
    );
    expect(found).toEqual({ pwned: false, foreign: 0, handlers: await ownStyles(page), links: 0 });
    expect(problems).toEqual([]);
  };

  it("there are 100 payloads and more", () => {
    expect(new Set(PAYLOADS).size).toBeGreaterThanOrEqual(100);
  });

  it("is text in keys and tags of the list of keys, and in names of namespaces", async () => {
    await page.goto(`${server.url}#/keys`);
    const rows = page.getByRole("table", { name: "Keys", exact: true }).locator("tbody tr");
    const shown: string[] = [];
    for (let turn = 0; turn * 100 < PAYLOADS.length; turn += 1) {
      if (turn > 0) await page.getByRole("button", { name: "Next 100" }).click();
      await until(async () => (await rows.count()) === Math.min(100, PAYLOADS.length - turn * 100), {
        what: "a page of keys",
      });
      shown.push(...(await rows.locator("th .data").allTextContents()));
      const tags = await rows.locator("a.chip .data").allTextContents();
      for (const [index, tag] of tags.entries())
        expect(isShown(tag, PAYLOADS[turn * 100 + index] ?? ""), tag).toBe(true);
      await nothingHasRun();
    }
    for (const [index, payload] of PAYLOADS.entries())
      expect(isShown(shown[index] ?? "", payload), shown[index]).toBe(true);
  });

  it("is text in an entry: key, namespace, value, fields, URL, reasons, codec, lease holder", async () => {
    await page.goto(`${server.url}#/overview`);
    for (const payload of PAYLOADS) {
      hostileEntry(server.answers, payload);
      await page.evaluate((key) => {
        location.hash = `#/entry?${new URLSearchParams({ key: key.slice(0, 2_000) })}`;
      }, payload);
      const summary = page.locator(".summary .data");
      await until(async () => isShown((await summary.textContent()) ?? "", payload), {
        what: `the entry ${payload.slice(0, 40)}`,
      });
      const texts = await page.locator(".json-text > .data").allTextContents();
      expect(
        texts.some((text) => isShown(text, payload)),
        payload.slice(0, 40),
      ).toBe(true);
      expect(isShown((await page.locator(".reasons .data").first().textContent()) ?? "", payload)).toBe(true);
      await nothingHasRun();
    }
  }, 120_000);

  it.each(["overview", "herd", "hottest", "health", "events"])(
    "is text in #/%s: keys, definitions, errors, hosts, findings, events",
    async (view) => {
      await page.goto(`${server.url}#/${view}`);
      await page.getByText("Live", { exact: true }).waitFor();
      await page.getByText("window.pwned=1").first().waitFor();
      await nothingHasRun();
    },
  );

  it("is text in the fields and the preview of a purge", async () => {
    for (const payload of PAYLOADS.filter(({ length }) => length < 500)) {
      await page.goto(`${server.url}#/purge?${new URLSearchParams({ by: "pattern", pattern: payload })}`);
      const field = page.getByLabel("Pattern of keys");
      await until(async () => (await field.inputValue()) === wellFormed(payload).replace(/[\r\n]/g, ""), {
        what: `the field with ${payload}`,
      });
    }
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("table", { name: "Some of what matches" }).waitFor();
    await nothingHasRun();
  }, 60_000);

  it("is text in an address that names no view, and in messages of errors", async () => {
    for (const payload of PAYLOADS.slice(0, 30)) {
      await page.goto(`${server.url}#/${payload}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
    }
    await nothingHasRun();
  });
});

/** Elements whose length depends on data have it as a custom property, set by the page itself. */
function ownStyles(page: Page): Promise<number> {
  return page
    .locator("#view :is(.split span, .timeline-span, .timeline-now, .herd-flows path, .uplot *, .uplot)[style]")
    .count();
}

function hostileAnswers(): Answers {
  const answers = busyAnswers();
  const { live, findings, preview } = answers;
  const name = (text: string, index: number) => ({
    name: text,
    calls: 1_000 - index,
    hits: 1,
    misses: 1,
    stale: 1,
    loads: 1,
    meanMs: 1,
    maxMs: 1,
  });
  const texts = PAYLOADS.slice(0, 50);
  const names = texts.map(name);
  const rows = PAYLOADS.map((payload, index) =>
    rowOf(payload, {
      key: payload,
      namespaces: [payload.slice(0, 300)],
      tags: [{ label: "abcdefghijkl", tag: payload, purged: index % 2 === 0 ? "soft" : "no" }],
    }),
  );
  return {
    ...answers,
    info: {
      ...answers.info,
      server: texts[0] ?? "",
      prefix: texts[1] ?? "",
      codec: texts[0] ?? "",
      library: texts[15] ?? "",
    },
    rows,
    batch: 10,
    total: rows.length,
    preview: { ...preview, samples: rows.slice(0, 20) },
    findings: texts
      .map((text) => ({ check: text, level: "warning" as const, found: text, meaning: text, remedy: text }))
      .concat(findings.map((finding) => ({ ...finding, level: "warning" as const }))),
    live: {
      ...live,
      process: {
        ...live.process,
        lastError: texts[0],
        leases: texts.map((key) => ({ key, sinceMs: live.atMs })),
        near: { entries: 1, bytes: 1, invalidation: texts[16] ?? "", listening: true },
        hottest: names,
        slowest: names,
        hottestKeys: names,
        slowestKeys: names,
      },
      fleet: live.fleet && {
        ...live.fleet,
        processes: live.fleet.processes.map((process, index) => ({
          ...process,
          id: texts[index] ?? "",
          host: texts[index + 20] ?? "",
          breaker: texts[index + 30] ?? "",
        })),
        leases: texts.map((key) => ({ key, sinceMs: live.atMs, process: key })),
        hottestKeys: names,
        slowestKeys: names,
      },
      events: texts.map((text) => ({
        atMs: live.atMs,
        name: text,
        method: text,
        key: text,
        count: 1,
        durationMs: 1,
        detail: text,
      })),
    },
  };
}

function hostileEntry(answers: Answers, text: string): void {
  const report = { ...rowOf(text), ...busyAnswers().entry };
  const json = { [text.slice(0, 300)]: text, list: [text], nested: { [text.slice(0, 50)]: { text } } };
  answers.entry = {
    ...report,
    key: text,
    namespaces: [text, text],
    lease: { holder: text, untilMs: Date.now() + 1_000 },
    tags: [{ label: "abcdefghijkl", tag: text, purged: "hard" }],
    value: {
      codec: text,
      isOwnCodec: false,
      text,
      json,
      isCut: true,
      error: undefined,
      response: { url: text, status: 200, fields: [[text, text]], bodySize: 1 },
    },
  };
  answers.why = { ...answers.why, summary: text, reasons: [text, text], hints: [text], entry: answers.entry };
}
