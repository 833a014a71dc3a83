import { expect, inject, it } from "vitest";
import { createCache, herd } from "../../src/index.workerd.js";
import { inspector } from "../../src/inspector/index.js";
import { ownPrefix } from "../contract/cache/stored.js";

const ORIGIN = "https://service.example";

it("the inspector answers in a Worker, each request over a connection of its own, with live data of the whole isolate", async () => {
  const cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), client: herd() });
  const app = inspector({ cache, authorize: () => true, allowChanges: true });
  const ask = (path: string, init?: RequestInit) => app.request(`${ORIGIN}/cache${path}`, init);
  await using view = cache.for({});
  await view.set("a", { name: "Ann" });
  expect(await (await ask("/")).text()).toContain("<html");
  const info = await ask("/api/info");
  const { token, ...about } = (await info.json()) as { token: string };
  expect(about).toMatchObject({ client: "herd", mayChange: true });
  const [cookie = ""] = (info.headers.get("set-cookie") ?? "").split(";");
  expect(cookie).toMatch(/^__Secure-/);
  expect(await (await ask("/api/keys")).text()).toContain('"key":"a"');
  const stored = encodeURIComponent(String(cache.makeKey("a")));
  expect(await (await ask(`/api/entry?key=${stored}`)).json()).toMatchObject({ entry: { state: "fresh" } });

  const live = await ask("/api/live");
  const reader = live.body?.pipeThrough(new TextDecoderStream()).getReader();
  await view.getOrSet("b", () => 1);
  let text = "";
  while (!/data: .*\n\n/.test(text)) text += (await reader?.read())?.value ?? "";
  const second = JSON.parse(/data: (.*)/.exec(text)?.[1] ?? "{}");
  expect(second.process.now).toMatchObject({ calls: 1, loads: 1 });
  expect(second.fleet.processes).toHaveLength(1);
  await reader?.cancel();

  const headers = { cookie, "x-csrf-token": token, "content-type": "application/json", origin: ORIGIN };
  const purge = await ask("/api/purge", { method: "POST", headers, body: '{"by":"key","key":"a"}' });
  expect(await purge.text()).toContain('"done"');
  expect(await view.get("a")).toBeUndefined();
});
