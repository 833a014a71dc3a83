import { describe, expect, inject, it } from "vitest";
import type { EntryAnswer, KeysLine } from "../../src/inspector/api.js";
import { linesOf, openCache, serveInspector, watchLive } from "./app.js";

/** Ways to leave a text, a tag, an attribute, a script, a comment, a line or a header field. */
const OPENERS = [
  "",
  "'",
  '"',
  "`",
  "</script>",
  "</style>",
  "-->",
  "]]>",
  "\r\n\r\n",
  "\u2028",
  "\\",
  "&lt;/script&gt;",
];
const SCRIPTS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "javascript:alert(1)",
  "<iframe srcdoc='<script>alert(1)</script>'>",
  "{{constructor.constructor('alert(1)')()}}",
  "data: {}\n\nevent: live\ndata: {}\n\n",
  "\u0000\u001b[2J\u202e",
  "__proto__",
];
const PAYLOADS = OPENERS.flatMap((opener) => SCRIPTS.map((script) => opener + script));

describe("the inspector, given more than a hundred payloads as keys, values, tags and namespaces", () => {
  it("answers them as what they are, in JSON without markup, in lists and entries", async () => {
    expect(PAYLOADS.length).toBeGreaterThan(100);
    const cache = openCache({ location: inject("valkeyUrl") });
    const base = `${await serveInspector({ cache })}/cache`;
    const expected = new Map<string, string>();
    for (const [i, payload] of PAYLOADS.entries()) {
      const key = `${payload}#${i}`;
      await cache.set(key, { [payload]: payload }, { tags: [`tag ${payload}`] });
      expected.set(String(cache.makeKey(key)), payload);
    }
    const list = await fetch(`${base}/api/keys`);
    const text = await list.clone().text();
    expect(text).not.toMatch(/[<\u2028]/);
    const rows = (await linesOf<KeysLine>(list)).flatMap((line) => ("rows" in line ? line.rows : []));
    const found = new Set(rows.map(({ storedKey }) => storedKey));
    expect([...expected.keys()].filter((key) => !found.has(key))).toEqual([]);
    for (const [storedKey, payload] of expected) {
      const response = await fetch(`${base}/api/entry?key=${encodeURIComponent(storedKey)}`);
      const body = await response.text();
      expect(body).not.toContain("<");
      const { entry } = JSON.parse(body) as EntryAnswer;
      expect(entry.storedKey).toBe(storedKey);
      expect(Object.entries(entry.value?.json as object)).toEqual([[payload, payload]]);
    }
  });

  it("keeps each in its own event of a live stream", async () => {
    const cache = openCache();
    const base = `${await serveInspector({ cache })}/cache`;
    await using live = await watchLive(base);
    for (const payload of PAYLOADS) {
      await cache
        .getOrSet(payload === "" ? "empty" : payload, () => Promise.reject(new Error(payload)))
        .catch(() => {});
    }
    const second = await live.next();
    expect(second?.process.now).toMatchObject({ calls: PAYLOADS.length, failedLoads: PAYLOADS.length });
    expect(second?.events).toHaveLength(50);
    expect(second?.process.lastError).toBe(PAYLOADS.at(-1));
    const next = await live.next();
    expect(next?.process.now.calls).toBe(0);
  });
});
