import { describe, expect, it } from "vitest";
import { how, page, startSite, testFetch } from "./site.js";

/** A page that changes with each request, and answers a validation with 304 unless it is forced to be new. */
function changing(control: string) {
  let runs = 0;
  return startSite((request, response) => {
    const fields = { "cache-control": control, etag: '"1"' };
    if (request.headers["if-none-match"] === '"1"') response.writeHead(304, fields).end();
    else response.writeHead(200, fields).end(`page ${++runs}`);
  });
}

const text = async (response: Response): Promise<string> => response.text();

/** https://fetch.spec.whatwg.org/#concept-request-cache-mode */
describe("the option cache of a call", () => {
  it('"no-store" neither reads nor stores', async () => {
    const site = await changing("max-age=60");
    const fetch = testFetch();
    const first = await fetch(site.url, { cache: "no-store" });
    expect([how(first), await text(first), first.url]).toEqual(["fwd=bypass", "page 1", `${site.url}/`]);
    expect(await text(await fetch(site.url))).toBe("page 2");
    expect(await text(await fetch(site.url, { cache: "no-store" }))).toBe("page 3");
    expect(await text(await fetch(site.url))).toBe("page 2");
  });

  it('"reload" does not read, asks for all of the response, and stores it', async () => {
    const site = await changing("max-age=60");
    const fetch = testFetch();
    await text(await fetch(site.url));
    expect(await text(await fetch(site.url, { cache: "reload" }))).toBe("page 2");
    const { headers } = site.requests[1] ?? {};
    expect(headers).toMatchObject({ "cache-control": "no-cache", pragma: "no-cache" });
    expect(headers?.["if-none-match"]).toBeUndefined();
    const after = await fetch(site.url);
    expect([how(after).slice(0, 3), await text(after)]).toEqual(["hit", "page 2"]);
  });

  it('"no-cache" always validates', async () => {
    const site = await changing("max-age=60, immutable");
    const fetch = testFetch();
    await text(await fetch(site.url));
    const validated = await fetch(site.url, { cache: "no-cache" });
    expect([how(validated), await text(validated)]).toEqual(["fwd=request; fwd-status=304; stored", "page 1"]);
    expect(site.requests[1]?.headers).toMatchObject({ "if-none-match": '"1"', "cache-control": "max-age=0" });
  });

  it('"force-cache" takes a stale response, and asks the origin where there is none', async () => {
    const site = await changing("max-age=0");
    const fetch = testFetch();
    for (const _ of [1, 2]) expect(await text(await fetch(site.url, { cache: "force-cache" }))).toBe("page 1");
    expect(site.requests.map(({ headers }) => headers["cache-control"])).toEqual([undefined]);
    const strict = await changing("max-age=0, must-revalidate");
    for (const _ of [1, 2]) await text(await fetch(strict.url, { cache: "force-cache" }));
    expect(strict.asked).toHaveLength(2);
  });

  it('"only-if-cached" takes a stored response alone, of any age, and else rejects as a network error does', async () => {
    const site = await changing("max-age=0");
    const fetch = testFetch();
    const call = () => fetch(site.url, { cache: "only-if-cached" });
    await expect(call()).rejects.toThrow(TypeError);
    await text(await fetch(site.url));
    expect(await text(await call())).toBe("page 1");
    expect(site.asked).toHaveLength(1);
    const gateway = await startSite(page({ "cache-control": "max-age=60" }, "", 504));
    await text(await fetch(gateway.url));
    expect((await fetch(gateway.url, { cache: "only-if-cached" })).status).toBe(504);
  });

  it("is that of a Request, too, and holds where requestDirectives is false", async () => {
    const site = await changing("max-age=60");
    const fetch = testFetch({ requestDirectives: false });
    await text(await fetch(site.url));
    expect(how(await fetch(new Request(site.url, { cache: "no-cache" })))).toContain("fwd=request");
    expect(how(await fetch(site.url, { headers: { "cache-control": "no-cache" } }))).toContain("hit");
  });

  it("is left to fetch where it is none", async () => {
    const fetch = testFetch();
    // @ts-expect-error
    await expect(fetch("http://127.0.0.1/", { cache: "never" })).rejects.toThrow(TypeError);
    // @ts-expect-error
    await expect(fetch("http://127.0.0.1/", { redirect: "never" })).rejects.toThrow(TypeError);
    await expect(fetch("http://127.0.0.1/", { body: "body" })).rejects.toThrow(TypeError);
  });
});

describe("a call with conditions of its own", () => {
  it.each(["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"])(
    "(%s) goes to the origin as it is, and nothing is stored",
    async (name) => {
      const site = await changing("max-age=60");
      const fetch = testFetch();
      await text(await fetch(site.url));
      const response = await fetch(site.url, { headers: { [name]: '"1"' } });
      expect([how(response), response.status]).toEqual(["fwd=bypass", name === "if-none-match" ? 304 : 200]);
      expect(site.requests[1]?.headers[name]).toBe('"1"');
    },
  );
});

describe("a call with integrity", () => {
  it("goes to the origin, as only fetch can check it", async () => {
    const site = await startSite(page({ "cache-control": "max-age=60" }));
    const fetch = testFetch();
    await text(await fetch(site.url));
    await expect(fetch(site.url, { integrity: `sha256-${"A".repeat(43)}=` })).rejects.toThrow(TypeError);
    expect(site.asked).toHaveLength(2);
  });
});

describe("a call with a range", () => {
  it("is answered from a full stored body, or from the origin where that is too large", async () => {
    const body = "0123456789";
    const site = await startSite((request, response) => {
      const part = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
      const fields = { "cache-control": "max-age=60", etag: '"1"' };
      if (!part) response.writeHead(200, { ...fields, "content-length": 10 }).end(body);
      else {
        const [from, to] = [Number(part[1]), Number(part[2])];
        response.writeHead(206, { ...fields, "content-range": `bytes ${from}-${to}/10` }).end(body.slice(from, to + 1));
      }
    });
    const headers = { range: "bytes=2-4" };
    const fetch = testFetch();
    await text(await fetch(site.url));
    const part = await fetch(site.url, { headers });
    expect([part.status, part.headers.get("content-range"), await text(part)]).toEqual([206, "bytes 2-4/10", "234"]);
    expect(site.asked).toHaveLength(1);
    const small = testFetch({ maxBodySize: 5 });
    const large = await small(site.url, { headers });
    expect([large.status, await text(large)]).toEqual([206, "234"]);
    expect(site.requests.map((request) => request.headers.range)).toEqual([undefined, undefined, "bytes=2-4"]);
  });
});
