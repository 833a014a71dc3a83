import { getEventListeners, once } from "node:events";
import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { until } from "../support/wait.js";
import { how, page, startSite, testFetch } from "./site.js";

const FRESH = { "cache-control": "max-age=60" };

/** An origin whose responses the test ends. */
async function heldSite(fields: Record<string, string | number> = FRESH) {
  const responses: ServerResponse[] = [];
  const site = await startSite((_request, response) => {
    response.writeHead(200, fields);
    response.write("first ");
    responses.push(response);
  });
  return { ...site, responses };
}

describe("a caller that aborts", () => {
  it("gets its own reason at once, while others get the response, and the store keeps it", async () => {
    const responses: ServerResponse[] = [];
    const site = await startSite((_request, response) => void responses.push(response));
    const fetch = testFetch();
    const controller = new AbortController();
    const left = fetch(site.url, { signal: controller.signal });
    const other = fetch(site.url);
    await until(() => responses.length > 0, { what: "the request" });
    const reason = new RangeError("enough");
    controller.abort(reason);
    await expect(left).rejects.toBe(reason);
    for (const response of responses) response.writeHead(200, FRESH).end("page");
    expect(await (await other).text()).toBe("page");
    expect(how(await fetch(site.url))).toMatch(/^hit/);
    expect(site.asked).toHaveLength(1);
  });

  it("before the call is not heard by the origin", async () => {
    const site = await startSite(page(FRESH));
    const fetch = testFetch();
    const reason = new RangeError("enough");
    await expect(fetch(site.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(fetch(new Request(site.url, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    expect(site.asked).toEqual([]);
  });

  it("while it reads the body has the body fail, and the store keeps the whole of it", async () => {
    const site = await heldSite();
    const fetch = testFetch();
    const controller = new AbortController();
    const response = await fetch(site.url, { signal: controller.signal });
    const text = response.text();
    const reason = new RangeError("enough");
    controller.abort(reason);
    await expect(text).rejects.toBe(reason);
    site.responses[0]?.end("last");
    await until(async () => how(await fetch(site.url, { cache: "only-if-cached" })).startsWith("hit"), {
      what: "a hit",
    });
    expect(await (await fetch(site.url)).text()).toBe("first last");
    expect(site.asked).toHaveLength(1);
  });

  it("of what is not stored closes the connection to the origin", async () => {
    const site = await heldSite({ "cache-control": "no-store" });
    const controller = new AbortController();
    await testFetch()(site.url, { signal: controller.signal });
    const closed = once(site.responses[0] ?? site.server, "close");
    controller.abort();
    await closed;
  });

  it("leaves nothing on a signal of many calls", async () => {
    const site = await startSite(page({}, "x".repeat(100_000)));
    const stored = await startSite(page(FRESH));
    const fetch = testFetch();
    const { signal } = new AbortController();
    for (let i = 0; i < 20; i++) {
      await (await fetch(site.url, { signal })).text();
      await (await fetch(stored.url, { signal })).text();
      await (await fetch(site.url, { signal })).body?.cancel();
    }
    await fetch("http://127.0.0.1:1/", { signal }).catch(() => {});
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("a body", () => {
  it("is passed on while it is stored", async () => {
    const site = await heldSite();
    const fetch = testFetch();
    const response = await fetch(site.url);
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("first ");
    site.responses[0]?.end("last");
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("last");
    expect((await reader?.read())?.done).toBe(true);
    expect(await (await fetch(site.url)).text()).toBe("first last");
    expect(site.asked).toHaveLength(1);
  });

  it.each([
    ["with its length", { ...FRESH, "content-length": 100 }],
    ["in chunks", FRESH],
    ["compressed", { ...FRESH, "content-encoding": "gzip" }],
  ])("%s that is cut short fails, and is not stored", async (what, fields) => {
    const whole = gzipSync("first ".repeat(10_000));
    const site = await startSite((_request, response) => {
      response.writeHead(200, fields);
      response.write(what === "compressed" ? whole.subarray(0, whole.length - 20) : "first ", () => response.destroy());
    });
    const fetch = testFetch();
    for (const _ of [1, 2])
      await expect(fetch(site.url).then((response) => response.text())).rejects.toThrow(TypeError);
    expect(site.asked).toHaveLength(2);
  });

  it("beyond maxBodySize is passed on at the caller's pace, and not stored", async () => {
    let written = 0;
    const piece = Buffer.alloc(65_536);
    const site = await startSite((_request, response) => {
      response.writeHead(200, FRESH);
      const write = () => {
        while (written < 1_000) {
          written++;
          if (!response.write(piece)) return response.once("drain", write);
        }
        return response.end();
      };
      write();
    });
    const fetch = testFetch({ maxBodySize: 100_000 });
    const response = await fetch(site.url);
    let before = -1;
    const hasStopped = () => {
      const isSame = before === written;
      before = written;
      return isSame;
    };
    // The origin is held up by what is not read.
    await until(hasStopped, { what: "the origin to stop", everyMs: 100 });
    expect(written).toBeLessThan(1_000);
    expect((await response.arrayBuffer()).byteLength).toBe(65_536_000);
    expect(how(await fetch(site.url, { method: "HEAD" }))).not.toContain("hit");
  });

  it("of a response without one is null", async () => {
    const site = await startSite(page(FRESH, "", 204));
    const fetch = testFetch();
    for (const _ of [1, 2]) {
      const response = await fetch(site.url);
      expect([response.status, response.body, await response.text()]).toEqual([204, null, ""]);
    }
  });
});

describe("an origin that takes long", () => {
  it("is given up after originTimeout where a stale response may replace its error", async () => {
    let isSlow = false;
    const site = await startSite((_request, response) => {
      if (!isSlow) response.writeHead(200, { "cache-control": "max-age=0, stale-if-error=60" }).end("page");
    });
    const fetch = testFetch({ originTimeout: "100ms" });
    await (await fetch(site.url)).text();
    isSlow = true;
    expect(await (await fetch(site.url)).text()).toBe("page");
  });

  it("is cut off for the caller by a timeout of its own", async () => {
    const site = await startSite(() => {});
    const call = testFetch()(site.url, { signal: AbortSignal.timeout(50) });
    await expect(call).rejects.toMatchObject({ name: "TimeoutError" });
  });
});
