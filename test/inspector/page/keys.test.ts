import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hasBrowser, startBrowser } from "../../support/browser.js";
import { until } from "../../support/wait.js";
import { type Answers, busyAnswers, rowOf } from "./answers.js";
import { openTab } from "./browser.js";
import { type PageServer, startPageServer } from "./server.js";

describe.skipIf(!hasBrowser)("keys, entries and purges on the page of the inspector", () => {
  let browser: Browser;
  let server: PageServer;
  let answers: Answers;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    browser = await startBrowser();
  });

  afterAll(() => browser?.close());

  beforeEach(async () => {
    answers = busyAnswers();
    server = await startPageServer(answers);
    ({ page, problems } = await openTab(browser));
    return async () => {
      await page.close();
      await server[Symbol.asyncDispose]();
      expect(problems).toEqual([]);
    };
  });

  const open = (view: string) => page.goto(`${server.url}#/${view}`);
  const keyRows = () => page.getByRole("table", { name: "Keys", exact: true }).locator("tbody tr");
  const hasRows = (count: number) => until(async () => (await keyRows().count()) === count, { what: `${count} rows` });
  const listsOf = () => server.requests.filter((request) => request === "GET /api/keys").length;

  describe("keys", () => {
    it("lists 100 at a time, and turns back without another scan", async () => {
      await open("keys");
      await hasRows(100);
      await page.getByText("100 keys found so far, 238,095 of 1,000,000 looked at").waitFor();
      const firstKey = () => keyRows().first().getByRole("link").first().textContent();
      const first = await firstKey();
      for (let turn = 1; turn <= 3; turn += 1) {
        await page.getByRole("button", { name: "Next 100" }).click();
        await until(async () => (await firstKey()) !== first, { what: "the next page" });
        await hasRows(100);
      }
      await page.getByRole("button", { name: "Next 100" }).click();
      await hasRows(20);
      await page.getByText("420 keys found: all. 1,000,000 keys of the database were looked at.").waitFor();
      expect(await page.getByRole("button", { name: "Next 100" }).isDisabled()).toBe(true);
      for (let turn = 1; turn <= 4; turn += 1) await page.getByRole("button", { name: "Previous 100" }).click();
      expect(await firstKey()).toBe(first);
      // With limits of 100, 200, 400 and 800.
      expect(listsOf()).toBe(4);
    });

    it("asks for no more than it shows, however many keys there are", async () => {
      answers.rows = Array.from({ length: 100_000 }, (_, index) => rowOf(`shop:1:user:${index}`));
      answers.batch = 50;
      await open("keys");
      await hasRows(100);
      await page.getByText("100 keys found so far").waitFor();
      expect(server.keys).toEqual({ written: 2, open: 0 });
      await page.getByRole("button", { name: "Next 100" }).click();
      await page.getByText("200 keys found so far").waitFor();
      expect(server.keys).toEqual({ written: 6, open: 0 });
    });

    it("ends the scan when it is left, and when it is stopped", async () => {
      answers.beforeBatch = async (start) => {
        if (start > 0) await new Promise(() => undefined);
      };
      await open("keys");
      await hasRows(20);
      expect(server.keys.open).toBe(1);
      await page.getByRole("link", { name: "Herd" }).click();
      await until(() => server.keys.open === 0, { what: "the end of the scan" });
      await open("keys?pattern=a");
      await hasRows(20);
      await page.getByRole("button", { name: "Stop" }).click();
      await until(() => server.keys.open === 0, { what: "the end of the scan" });
      await page.getByText("The scan was ended.").waitFor();
    });

    it("shows the list from before, on its page, on the way back from an entry, without another scan", async () => {
      await open("keys");
      await hasRows(100);
      await page.getByRole("button", { name: "Next 100" }).click();
      const key = (await keyRows().nth(40).getByRole("link").first().textContent()) ?? "";
      await page.getByRole("link", { name: key, exact: true }).click();
      await page.getByText("What a call would do now").waitFor();
      await page.goBack();
      await page.getByRole("link", { name: key, exact: true }).waitFor();
      expect(listsOf()).toBe(2);
      await page.getByRole("button", { name: "Scan again" }).click();
      await until(() => listsOf() === 3, { what: "another scan" });
    });

    it("filters by pattern, tag, version and namespace, which are in its address", async () => {
      await open("keys");
      await hasRows(100);
      await page.getByLabel("Pattern of keys").fill("user:*");
      await page.getByLabel("Tag").fill("news & more");
      await page.getByLabel("Version").fill("2");
      await page.getByRole("button", { name: "List keys" }).click();
      await page.waitForURL(/pattern=user%3A\*&tag=news\+%26\+more&version=2/);
      const tree = page.getByRole("navigation", { name: "Namespaces" });
      await tree.getByRole("link", { name: "tenant-3" }).click();
      await page.waitForURL(/ns=tenant-3/);
      expect(await tree.getByRole("link", { name: "tenant-3" }).getAttribute("aria-current")).toBe("true");
      await tree.getByRole("link", { name: "All keys" }).click();
      await page.waitForURL((url) => !url.hash.includes("ns="));
    });

    it("shows ages where they are known, and figures that go down", async () => {
      answers.rows = [
        rowOf("shop:1:http:GET:/a", { kind: "response", storedMs: Date.now() - 65_000 }),
        rowOf("shop:1:user:1", { expiresMs: Date.now() + 9_500, state: "stale" }),
        rowOf("shop:1:forever", { expiresMs: null }),
      ];
      await open("keys");
      await hasRows(3);
      expect(await keyRows().nth(0).textContent()).toMatch(/fresh.*response.*1 min/);
      expect(await keyRows().nth(2).textContent()).toMatch(/never.*–/);
      const left = () => keyRows().nth(1).locator("[data-label='Expires in']").textContent();
      const before = await left();
      await until(async () => (await left()) !== before, { what: "less time" });
    });

    it("says that nothing matches, and what has failed in the middle of a scan", async () => {
      answers.rows = [];
      await open("keys?pattern=x");
      await page.getByText("nothing matches. A pattern matches whole keys").waitFor();
    });
  });

  describe("an entry", () => {
    it("is shown with what a call would do, its timeline, facts, tags and value", async () => {
      await open("entry?key=shop%3A1%3Aproduct%3A8812");
      await page.getByText("getOrSet would answer the stored value").waitFor();
      await page.getByText("The same key exists in version 2").waitFor();
      await page.getByText(/Fresh for 3 min 5\d s more, then stale for 5 min\./).waitFor();
      await page.getByText("2.1 kB with the server's overhead").waitFor();
      await page.getByRole("link", { name: "catalogue" }).waitFor();
      await page.getByText("#aB3dE6gH9jK1").waitFor();
      const images = page.locator("summary", { hasText: "240 items" });
      expect(await page.getByText("/images/8812-0.avif").count()).toBe(0);
      await images.click();
      await page.getByRole("button", { name: "Show more: 140 are left" }).click();
      await page.getByRole("button", { name: "Show more: 40 are left" }).click();
      expect(await page.locator(".json-children > details summary", { hasText: "3 fields" }).count()).toBe(240);
      await page.getByText("Text", { exact: true }).click();
      await page.locator("pre").getByText('"currency": "CHF"').waitFor();
    });

    it("has a timeline on which now moves", async () => {
      answers.entry = {
        ...answers.entry,
        storedMs: Date.now() - 1_000,
        freshUntilMs: Date.now() + 3_000,
        staleUntilMs: Date.now() + 6_000,
        expiresMs: Date.now() + 6_000,
      };
      await open("entry?key=shop:1:a");
      await page.getByText(/^Fresh for/).waitFor();
      await page.getByText(/^Stale for .*, and answered for .* more\.$/).waitFor();
      await page.getByText(/^It ended .* ago, after it was read here\.$/).waitFor();
    });

    it("is cut, not decodable, or not there, and says so", async () => {
      const { value } = answers.entry;
      if (!value) throw new Error("the entry has a value");
      answers.entry = { ...answers.entry, value: { ...value, json: undefined, text: "x".repeat(65_536), isCut: true } };
      await open("entry?key=shop:1:a");
      await page.getByText("This is not all of it: 65.5 kB of text are shown.").waitFor();
      answers.entry = {
        ...answers.entry,
        state: "unreadable",
        value: { ...value, json: undefined, text: "\u0000\u0001ab", error: "no zstd frame" },
      };
      await page.getByRole("button", { name: "Read again" }).click();
      await page.getByText("It can't be decoded: no zstd frame. These are its bytes.").waitFor();
      expect(await page.locator("pre").textContent()).toBe("\\u0000\\u0001ab");
      answers.entry = {
        ...answers.entry,
        kind: "none",
        state: "none",
        type: "none",
        value: undefined,
        expiresMs: undefined,
      };
      await page.getByRole("button", { name: "Read again" }).click();
      await page.getByText("There is no entry.").waitFor();
    });

    it("shows the fields of a stored response, and no link to its URL", async () => {
      const { value } = answers.entry;
      if (!value) throw new Error("the entry has a value");
      const response = { url: "javascript:alert(1)", status: 404, fields: [["x-a", "1"]] as const, bodySize: 12 };
      answers.entry = {
        ...answers.entry,
        kind: "response",
        value: { ...value, json: undefined, text: "gone", response },
      };
      await open("entry?key=shop:1:http:a");
      await page.getByRole("row", { name: "x-a 1" }).waitFor();
      await page.getByText("javascript:alert(1)").waitFor();
      expect(await page.locator("a[href^=javascript]").count()).toBe(0);
    });
  });

  describe("purge", () => {
    const confirm = () => page.getByRole("button", { name: /^(Purge|Make stale) [\d,]+ entr/ });

    it("previews, asks to type how many, and purges with the token", async () => {
      await open("purge?by=pattern&pattern=product:*");
      await page.getByRole("button", { name: "Preview" }).click();
      await page.getByText("12,480 entries, 22.9 MB of values").waitFor();
      expect(server.posts.map(({ path }) => path)).toEqual(["/api/preview"]);
      expect(await confirm().isDisabled()).toBe(true);
      await page.getByLabel("Type 12480 to confirm").fill("1248");
      expect(await confirm().isDisabled()).toBe(true);
      await page.getByLabel("Type 12480 to confirm").fill("12480");
      await confirm().click();
      await page.locator("#view").getByText("12,480 entries purged").waitFor();
      expect(server.posts.at(-1)).toEqual({
        path: "/api/purge",
        body: { by: "pattern", pattern: "product:*", soft: false, free: false },
        token: "a-token",
      });
    });

    it.each([
      { view: "by=key&key=user:7", body: { by: "key", key: "user:7", isStored: false } },
      { view: "by=key&key=shop:1:user:7&stored=1", body: { by: "key", key: "shop:1:user:7", isStored: true } },
      { view: "by=tag&tags=news&tags=sport", body: { by: "tag", tags: ["news", "sport"], match: "any" } },
      { view: "by=namespace&ns=tenant-1&ns=drafts", body: { by: "namespace", namespaces: ["tenant-1", "drafts"] } },
    ])("purges what its address says: $view", async ({ view, body }) => {
      answers.preview = { ...answers.preview, matched: 1, samples: answers.preview.samples.slice(0, 1) };
      await open(`purge?${view}`);
      await page.getByText("Make it stale").click();
      await page.getByRole("button", { name: "Preview" }).click();
      await confirm().click();
      await page.locator("#view").getByText("1 entry purged").waitFor();
      expect(server.posts.at(-1)?.body).toEqual({ ...body, soft: true, free: false });
    });

    it("forgets the preview when something else is to be purged", async () => {
      await open("purge?by=key&key=user:7");
      await page.getByRole("button", { name: "Preview" }).click();
      await confirm().waitFor();
      await page.getByLabel("Key", { exact: true }).last().fill("user:8");
      await until(async () => (await confirm().count()) === 0, { what: "no confirmation" });
    });

    it("shows its progress, and can be aborted", async () => {
      answers.steps = Number.POSITIVE_INFINITY;
      await open("purge?by=tag&tags=news");
      await page.getByRole("button", { name: "Preview" }).click();
      await page.getByText(/1,000,000 of 1,000,000 keys looked at, [\d,.MK]+\/s/).waitFor();
      await page.getByRole("button", { name: "Abort" }).click();
      await page.getByText("The preview was ended").waitFor();
    });

    it("is explained where the inspector is read-only", async () => {
      answers.info = { ...answers.info, mayChange: false, token: undefined };
      await open("purge?by=tag&tags=news");
      await page.getByText("This inspector is read-only").waitFor();
      expect(await page.getByRole("button", { name: "Preview" }).count()).toBe(0);
    });
  });
});
