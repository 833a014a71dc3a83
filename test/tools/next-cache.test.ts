import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import {
  countConnections,
  draftCookie,
  type Fleet,
  type Instance,
  type NextApp,
  nextApp,
  type Origin,
  passed,
  revalidate,
  shown,
  startFleet,
  startOrigin,
} from "./next-fleet.js";

let app: NextApp;
let origin: Origin;
let valkey: ValkeyServer;
let fleet: Fleet;
let a: Instance;
let b: Instance;
let connectionsOfBuild: number;

beforeAll(async () => {
  app = nextApp("components");
  await using silent = await countConnections();
  [origin, valkey] = await Promise.all([startOrigin(), startValkey(), app.build({ valkeyUrl: silent.url })]);
  connectionsOfBuild = silent.count();
  fleet = await startFleet(app, { origin, valkeyUrl: valkey.url });
  [a, b] = fleet.instances as [Instance, Instance];
});

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await Promise.all([origin?.[Symbol.asyncDispose](), valkey?.stop()]);
  app?.[Symbol.dispose]();
});

const generation = (number: number) => ({ generation: number });

/** Sends a form of a page as a browser without JavaScript does. */
async function submit(instance: Instance, path: string, form: string): Promise<string> {
  const html = await instance.text(path);
  const [, fields = ""] = new RegExp(`<form[^>]* id="${form}"[^>]*>(.*?)</form>`, "s").exec(html) ?? [];
  const body = new FormData();
  for (const [, name = "", value = ""] of fields.matchAll(
    /<input type="hidden" name="([^"]*)"(?: value="([^"]*)")?/g,
  )) {
    body.append(name, value.replaceAll("&quot;", '"').replaceAll("&amp;", "&"));
  }
  return instance.text(path, { method: "POST", body });
}

it("next build opens no connection", () => {
  expect(connectionsOfBuild).toBe(0);
});

describe("what two instances generate", () => {
  it.each([["local"], ["remote"]])("a %s cached function runs once for both", async (kind) => {
    expect(await a.json(`/value/${kind}/once`)).toEqual(generation(1));
    expect(await b.json(`/value/${kind}/once`)).toEqual(generation(1));
    expect(await a.json(`/value/${kind}/once`)).toEqual(generation(1));
    expect(origin.calls(`${kind}-once`)).toBe(1);
  });

  it.each([["local"], ["remote"]])("a %s cached function runs once for 20 requests at the same time", async (kind) => {
    origin.script(`${kind}-herd`, 300);
    expect(new Set(await fleet.atOnce(`/value/${kind}/herd`))).toEqual(new Set([JSON.stringify(generation(1))]));
    expect(origin.calls(`${kind}-herd`)).toBe(1);
  });

  it("the functions of a page run once for 20 requests at the same time", async () => {
    for (const name of ["local", "remote", "head", "tail"]) origin.script(`${name}-page`, 300);
    for (const html of await fleet.atOnce("/page/page")) {
      expect(["local", "remote", "head", "tail"].map((id) => shown(html, id))).toEqual([
        "local 1",
        "remote 1",
        "head 1",
        "tail 1",
      ]);
    }
    expect(["local", "remote", "head", "tail"].map((name) => origin.calls(`${name}-page`))).toEqual([1, 1, 1, 1]);
  });

  it("a page that is cached as a whole is generated once for 20 requests at the same time", async () => {
    origin.script("whole-page", 300);
    const pages = await fleet.atOnce("/whole/page");
    expect(new Set(pages.map((html) => shown(html, "whole")))).toEqual(new Set(["whole 1"]));
    expect(origin.calls("whole-page")).toBe(1);
  });

  it("a function within a function runs once, also where the outer one is called", async () => {
    const once = { outer: generation(1).generation, inner: 1 };
    const answers = (await fleet.atOnce("/value/nested/page", 6)).map((text) => JSON.parse(text));
    for (const { outer, inner } of answers) {
      expect({ outer: outer.generation, inner: inner.generation }).toEqual(once);
    }
    expect([origin.calls("nested-page"), origin.calls("local-nested-page")]).toEqual([1, 1]);
    expect(await b.json("/value/local/nested-page")).toEqual(generation(1));
  });

  it("a page that the build has prerendered is generated at most once for both", async () => {
    const pages = await fleet.atOnce("/whole/built");
    expect(new Set(pages.map((html) => shown(html, "whole"))).size).toBe(1);
    expect(origin.calls("whole-built")).toBeLessThanOrEqual(1);
  });
});

describe("a generation that doesn't end well", () => {
  it("fails for its request, and the next one generates", async () => {
    origin.script("local-fails", "fail");
    expect((await a.fetch("/value/local/fails")).status).toBe(500);
    expect(await b.json("/value/local/fails")).toEqual(generation(2));
    expect(await a.json("/value/local/fails")).toEqual(generation(2));
  });

  it("fails while the other instance waits for it, which then generates at once", async () => {
    origin.script("local-failing", "fail late");
    const beganMs = performance.now();
    const answers = await Promise.all([a, b].map((instance) => instance.fetch("/value/local/failing")));
    // Less than the time of a lease, and of a generation.
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 500]);
    expect(origin.calls("local-failing")).toBe(2);
  });

  it("hangs: the other instance generates after a while", async () => {
    origin.script("local-hangs", "hang");
    const leaves = new AbortController();
    const hanging = a.fetch("/value/local/hangs", { signal: leaves.signal }).catch((error: unknown) => error);
    await until(() => origin.calls("local-hangs") === 1, { what: "the generation" });
    expect(await b.json("/value/local/hangs")).toEqual(generation(2));
    leaves.abort();
    expect(await hanging).toBeInstanceOf(Error);
  });

  it("is killed with its process: the other instance generates after a while", async () => {
    const killed = await app.start({ origin, valkeyUrl: valkey.url });
    origin.script("remote-killed", "hang");
    const hanging = killed.fetch("/value/remote/killed").catch((error: unknown) => error);
    await until(() => origin.calls("remote-killed") === 1, { what: "the generation" });
    await killed.kill("SIGKILL");
    expect(await b.json("/value/remote/killed")).toEqual(generation(2));
    expect(await hanging).toBeInstanceOf(Error);
  });
});

describe("revalidation by one instance, at the next request to the other", () => {
  it.each([["local"], ["remote"]])("revalidateTag with expire: 0 removes what a %s function has", async (kind) => {
    await b.json(`/value/${kind}/hard`);
    await revalidate(a, `tag=${kind}-hard&expire=0`);
    expect(await b.json(`/value/${kind}/hard`)).toEqual(generation(2));
    expect(await a.json(`/value/${kind}/hard`)).toEqual(generation(2));
  });

  it.each([["local"], ["remote"]])("revalidateTag without a profile does so, too (%s)", async (kind) => {
    await b.json(`/value/${kind}/bare`);
    await revalidate(a, `tag=${kind}-bare`);
    expect(await b.json(`/value/${kind}/bare`)).toEqual(generation(2));
    expect(await a.json(`/value/${kind}/bare`)).toEqual(generation(2));
  });

  it('revalidateTag with "max" serves the stale value, and one instance generates', async () => {
    await a.json("/value/local/soft");
    await revalidate(a, "tag=local-soft&profile=max");
    origin.script("local-soft", 300);
    const first = await fleet.atOnce("/value/local/soft");
    expect(new Set(first)).toEqual(new Set([JSON.stringify(generation(1))]));
    await until(async () => (await a.text("/value/local/soft")).includes("2"), { what: "the new generation on a" });
    expect(await b.json("/value/local/soft")).toEqual(generation(2));
    expect(origin.calls("local-soft")).toBe(2);
  });

  it("revalidateTag with an expiry serves the stale value until then, and waits afterwards", async () => {
    await a.json("/value/local/soon");
    await revalidate(a, "tag=local-soon&expire=1");
    await passed(1.1);
    expect(await b.json("/value/local/soon")).toEqual(generation(2));
  });

  it("a function has the tags of the function within", async () => {
    await a.json("/value/nested/tags");
    await revalidate(b, "tag=local-nested-tags&expire=0");
    expect(await a.json("/value/nested/tags")).toEqual({ outer: generation(2), inner: generation(2) });
  });

  it("revalidateTag ends a page that is cached as a whole", async () => {
    expect(shown(await a.text("/whole/hard"), "whole")).toBe("whole 1");
    expect(shown(await b.text("/whole/hard"), "whole")).toBe("whole 1");
    await revalidate(b, "tag=whole-hard&expire=0");
    expect(shown(await a.text("/whole/hard"), "whole")).toBe("whole 2");
    expect(shown(await b.text("/whole/hard"), "whole")).toBe("whole 2");
  });

  it("revalidatePath ends the functions of a page, and a page that is cached as a whole", async () => {
    await a.text("/post/path");
    await a.text("/whole/path");
    await revalidate(a, "path=/post/path");
    await revalidate(a, "path=/whole/path");
    expect(shown(await b.text("/post/path"))).toBe("generation 2");
    expect(shown(await b.text("/whole/path"), "whole")).toBe("whole 2");
    expect(shown(await a.text("/post/path"))).toBe("generation 2");
    expect(shown(await a.text("/whole/path"), "whole")).toBe("whole 2");
  });

  it("revalidatePath of a layout ends all pages within", async () => {
    await a.text("/post/layout");
    await revalidate(b, "path=/post/[id]&type=page");
    expect(shown(await a.text("/post/layout"))).toBe("generation 2");
  });
});

describe("server actions", () => {
  /** What the post shows at each instance, once both show the same. */
  async function settled(id: string): Promise<number> {
    const numbers = async () => {
      const pages = await Promise.all([a.text(`/post/${id}`), b.text(`/post/${id}`)]);
      return pages.map((html) => Number(shown(html)?.replace("generation ", "")));
    };
    return until(
      async () => {
        const [here, there] = await numbers();
        return here === there ? here : undefined;
      },
      { what: "the same generation in both" },
    );
  }

  // Next invalidates after the response of an action has been generated, so that what this stored is generated once more.
  it("updateTag: the same request and all later ones see the change", async () => {
    await b.text("/post/update");
    const page = Number(shown(await submit(a, "/post/update", "update"))?.replace("generation ", ""));
    const [, inAction] = /action saw (\d+)/.exec(a.log()) ?? [];
    expect(Number(inAction)).toBe(2);
    expect(page).toBeGreaterThanOrEqual(2);
    const later = Number(shown(await b.text("/post/update"))?.replace("generation ", ""));
    expect(later).toBeGreaterThanOrEqual(page);
    expect([await settled("update"), await settled("update"), origin.calls("local-update")]).toEqual([
      later,
      later,
      later,
    ]);
    expect(later).toBeLessThanOrEqual(3);
  });

  it('revalidateTag with "max": no reader waits, and all get the change after one more generation', async () => {
    await b.text("/post/refresh");
    await submit(a, "/post/refresh", "refresh");
    origin.script("local-refresh", 300);
    const beganMs = performance.now();
    expect(shown(await b.text("/post/refresh"))).toBe("generation 2");
    expect(performance.now() - beganMs).toBeLessThan(250);
    await until(async () => (await settled("refresh")) === 3, { what: "the change" });
    expect(origin.calls("local-refresh")).toBe(3);
  });

  it("revalidatePath: the response and the other instance have the new page", async () => {
    await b.text("/post/action-path");
    expect(shown(await submit(a, "/post/action-path", "path"))).toBe("generation 2");
    expect(shown(await b.text("/post/action-path"))).toBe("generation 3");
    expect(await settled("action-path")).toBe(3);
  });
});

describe("streams", () => {
  it("a value that is still streamed is awaited by the other instance, and stored", async () => {
    origin.script("tail-slow", 500);
    const first = a.json("/value/streamed/slow");
    await until(() => origin.calls("tail-slow") === 1, { what: "the stream" });
    const both = { head: 1, ...generation(1), tail: generation(1) };
    expect(await b.json("/value/streamed/slow")).toEqual({ head: generation(1), tail: generation(1) });
    expect(await first).toEqual({ head: both.tail, tail: both.tail });
    expect([origin.calls("head-slow"), origin.calls("tail-slow")]).toEqual([1, 1]);
  });

  it("a page is sent while its stream is still generated", async () => {
    origin.script("tail-page-slow", 1_000);
    const response = await a.fetch("/page/page-slow");
    const texts: string[] = [];
    let early = false;
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      texts.push(chunk);
      early ||= texts.join("").includes('id="head"') && !texts.join("").includes('id="tail"');
    }
    expect(early).toBe(true);
    expect(shown(texts.join(""), "tail")).toBe("tail 1");
    expect(shown(await b.text("/page/page-slow"), "tail")).toBe("tail 1");
  });

  it("an interrupted stream is not stored", async () => {
    origin.script("tail-broken", "fail");
    expect((await a.fetch("/value/streamed/broken")).ok).toBe(false);
    const whole = { head: generation(2), tail: generation(2) };
    expect(await b.json("/value/streamed/broken")).toEqual(whole);
    expect(await a.json("/value/streamed/broken")).toEqual(whole);
  });

  it("a client that leaves doesn't interrupt the generation", async () => {
    origin.script("tail-left", 300);
    const leaves = new AbortController();
    const left = a.fetch("/page/left", { signal: leaves.signal }).then((response) => response.text());
    await until(() => origin.calls("tail-left") === 1, { what: "the stream" });
    leaves.abort();
    await expect(left).rejects.toThrow();
    expect(shown(await b.text("/page/left"), "tail")).toBe("tail 1");
    expect(origin.calls("tail-left")).toBe(1);
  });
});

describe("lifetimes", () => {
  it("a value past its revalidation is served, and generated once for both instances", async () => {
    await a.json("/value/refreshed/life");
    await passed(1.1);
    origin.script("refreshed-life", 300);
    expect(new Set(await fleet.atOnce("/value/refreshed/life"))).toEqual(new Set([JSON.stringify(generation(1))]));
    await until(async () => (await b.text("/value/refreshed/life")).includes("2"), { what: "the new value" });
    expect(origin.calls("refreshed-life")).toBe(2);
  });

  it("readers in both instances keep a page for the same time", async () => {
    await a.text("/whole/stale");
    const headers = { rsc: "1", "next-router-prefetch": "1" };
    const times = await Promise.all(
      [a, b].map(async (instance) => {
        const response = await instance.fetch("/whole/stale", { headers, redirect: "follow" });
        return response.headers.get("x-nextjs-stale-time");
      }),
    );
    expect(times).toEqual(["300", "300"]);
  });

  it("a value past its expiry is not served, and generated once for both instances", async () => {
    await a.json("/value/brief/life");
    await passed(3.1);
    origin.script("brief-life", 100);
    expect(new Set(await fleet.atOnce("/value/brief/life"))).toEqual(new Set([JSON.stringify(generation(2))]));
    expect(origin.calls("brief-life")).toBe(2);
  });
});

describe("draft mode", () => {
  it("shows the draft, and leaves the cache alone", async () => {
    expect(shown(await a.text("/post/draft"))).toBe("generation 1");
    const headers = { cookie: await draftCookie(a) };
    const drafts = [await a.text("/post/draft", { headers }), await b.text("/post/draft", { headers })];
    expect(drafts.map((html) => shown(html, "draft"))).toEqual(["draft", "draft"]);
    expect(drafts.map((html) => shown(html))).toEqual(["generation 2", "generation 3"]);
    expect(shown(await b.text("/post/draft"))).toBe("generation 1");
    expect(shown(await a.text("/post/draft"))).toBe("generation 1");
  });
});

it("no instance reports an unhandled rejection", () => {
  expect(a.log() + b.log()).not.toMatch(/unhandled/i);
});
