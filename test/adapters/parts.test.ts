import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Cache } from "../../src/index.js";
import { until } from "../support/wait.js";
import type { Got, Handler, Opened, Shown } from "./host.js";
import { HTTP_HOSTS } from "./hosts.js";
import { FRESH, newCache, STALE, text } from "./replies.js";

const FILE = "0123456789".repeat(100);
const OPTIONS = { maxBodySize: 100, awaitBackground: true };

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(async () => {
  vi.useRealTimers();
  await cache.close();
});

/** Answers with the range that a request asks for, or with all of a file that is too large to be stored. */
function fileHandler(said: Record<string, string>): { readonly handler: Handler; readonly asked: string[] } {
  const asked: string[] = [];
  const handler = (_request: Request, shown: Shown): Response => {
    const [range = "all"] = shown.values("range");
    asked.push(range);
    const headers = { ...said, etag: '"1"', "x-run": String(asked.length) };
    if (shown.values("if-none-match")[0] === '"1"') return new Response(null, { status: 304, headers });
    const [, first = "", last = ""] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    if (first === "") return text(FILE, 200, headers);
    const stated = { ...headers, "content-range": `bytes ${first}-${last}/${FILE.length}` };
    return text(FILE.slice(Number(first), Number(last) + 1), 206, stated);
  };
  return { handler, asked };
}

const part = ({ send }: Opened) => send({ fields: { range: "bytes=8-12" } });
const PART = { status: 206, body: "89012" };

describe.each(HTTP_HOSTS)("$name, of a body that is too large,", (host) => {
  it("stores the range that a client asks for, which the handler sees, and answers with it", async () => {
    const { handler, asked } = fileHandler(FRESH);
    await using opened = await host.open({ cache, handler, options: OPTIONS });
    expect((await opened.send()).body).toBe(FILE);
    expect(await part(opened)).toMatchObject({ ...PART, how: expect.stringMatching(/^fwd=uri-miss/) });
    const hit = await part(opened);
    expect(hit).toMatchObject({ ...PART, how: expect.stringMatching(/^hit/) });
    expect(hit.headers.get("content-range")).toBe("bytes 8-12/1000");
    expect((await opened.send()).body).toBe(FILE);
    expect(asked).toEqual(["all", "bytes=8-12", "all"]);
  });

  it("validates a part with its range", async () => {
    const { handler, asked } = fileHandler(FRESH);
    await using opened = await host.open({ cache, handler, options: OPTIONS });
    await opened.send();
    await part(opened);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    expect(await part(opened)).toMatchObject({ ...PART, how: "fwd=stale; fwd-status=304; stored" });
    expect(await part(opened)).toMatchObject({ ...PART, how: expect.stringMatching(/^hit/) });
    expect(asked).toEqual(["all", "bytes=8-12", "bytes=8-12"]);
  });

  it("refreshes a part with its range under stale-while-revalidate", async () => {
    const { handler, asked } = fileHandler(STALE);
    await using opened = await host.open({ cache, handler, options: { maxBodySize: 100 } });
    await opened.send();
    const stored = await until(
      async () => {
        const got = await part(opened);
        return got.how.startsWith("hit") ? got : undefined;
      },
      { what: "the part to be stored" },
    );
    const { length } = asked;
    const isNewer = ({ headers }: Got): boolean => Number(headers.get("x-run")) > Number(stored.headers.get("x-run"));
    await until(async () => isNewer(await part(opened)), { what: "a refreshed part" });
    expect(await part(opened)).toMatchObject(PART);
    expect(asked.slice(length).filter((range) => range !== "bytes=8-12")).toEqual([]);
    expect(opened.errors).toEqual([]);
  });
});
