import { describe, expect, it } from "vitest";
import { hit, testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };

describe("a reply is stored and answered", () => {
  it("as an object, a text, bytes, a stream, a web stream and a Response", async () => {
    const { Readable } = await import("node:stream");
    const kinds: Record<string, () => unknown> = {
      object: () => ({ a: "ä" }),
      text: () => "tëxt",
      bytes: () => Buffer.from([0, 255, 1]),
      stream: () => Readable.from(["a", "b", "c"]),
      web: () => new Response("web").body,
      response: () => new Response("resp", { headers: { "x-own": "1", ...FRESH } }),
    };
    const { app, get } = await testApp();
    let runs = 0;
    app.get<{ Params: { kind: string } }>("/:kind", (request, reply) => {
      runs++;
      reply.headers(FRESH).send(kinds[request.params.kind]?.());
    });
    for (const kind of Object.keys(kinds)) {
      runs = 0;
      const first = await get(`/${kind}`);
      expect([kind, first.how]).toEqual([kind, expect.stringContaining("fwd=uri-miss")]);
      const second = await hit(() => get(`/${kind}`));
      expect([kind, second.body, runs]).toEqual([kind, first.body, 1]);
      expect(second.headers.get("content-type")).toBe(first.headers.get("content-type"));
      expect(second.headers.get("age")).toBe("0");
    }
  });

  it("and one that says nothing of caching is passed on as it is", async () => {
    const { app, get } = await testApp();
    app.get("/", () => ({ a: 1 }));
    const got = await get("/");
    expect(got).toMatchObject({ status: 200, body: '{"a":1}', how: expect.stringContaining("fwd=uri-miss") });
    expect(got.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(got.headers.get("content-length")).toBe("7");
    expect((await get("/")).how).not.toContain("hit");
  });
});
