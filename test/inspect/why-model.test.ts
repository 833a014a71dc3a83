import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, inject, it } from "vitest";
import { FOREVER, NO_TOKEN, placeholder, seal } from "../../src/codec/envelope.js";
import { tagged } from "../../src/codec/tagged.js";
import type { Argument } from "../../src/core/connection.js";
import { type Cache, createCache, defaultClient, herd } from "../../src/index.js";
import type { WhyReport } from "../../src/inspect/port.js";
import { explain } from "../../src/inspect/why.js";
import { tagLabels } from "../../src/tags/labels.js";

const open: Cache[] = [];
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())));

/** Numbers that repeat with their seed. */
function randomOf(seed: number): <T>(choices: readonly [T, ...T[]]) => T {
  let state = seed;
  return ([first, ...others]) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const all = [first, ...others];
    return all[Math.floor((state / 2 ** 32) * all.length)] ?? first;
  };
}

const SECONDS = [-200, -90, -40, -5, 5, 40, 200] as const;
type Pick = ReturnType<typeof randomOf>;

/** Puts an entry of a random state under a key. @returns what was done, for messages */
async function prepare(cache: Cache, key: string, pick: Pick): Promise<string> {
  const { codec } = cache.parts.settings;
  const stored = String(cache.makeKey(key));
  const nowMs = Date.now();
  const put = (value: Argument, ttlMs = 300_000) =>
    cache.connection.send([["SET", stored, value, "PX", String(ttlMs)]]);
  const what = pick([
    "missing",
    "set",
    "envelope",
    "tagged",
    "tagged",
    "tagged",
    "tagged",
    "lease",
    "plain",
    "bytes",
    "newer",
    "mark",
    "list",
    "soft",
  ]);
  switch (what) {
    case "set":
      await cache.set(key, "old", { ttl: 60 });
      return what;
    case "soft":
      await cache.set(key, "old", { ttl: 60 });
      await cache.expireSoft(key);
      return what;
    case "envelope":
    case "tagged": {
      const freshUntilMs = pick([FOREVER, ...SECONDS.map((seconds) => nowMs + seconds * 1_000)]);
      // Loads that were short, or so long that an early refresh may be drawn.
      const deltaMs = pick([0, 10, 10, 30_000]);
      const token = pick([NO_TOKEN, NO_TOKEN, "abcdefghijkl"]);
      const leaseUntilMs = token === NO_TOKEN ? pick([0, 0, nowMs + 30_000]) : nowMs + pick([-30_000, 30_000]);
      let payload = '"old"';
      let purge = "";
      if (what === "tagged") {
        const tags = [`a ${key}`, `b ${key}`];
        await cache.purgeTags(["before"]);
        const met = await cache.parts.settings.tags.meet();
        await met.refresh(cache.connection)?.done;
        const log = met.stamp;
        payload = String(tagged({ stamp: pick([log, log, undefined]), labels: await tagLabels(tags), payload }));
        purge = pick(["none", "soft", "hard", "hard", "hard", "together", "half together", "other"]);
      }
      await put(seal({ freshUntilMs, deltaMs, token, leaseUntilMs }, codec.mark, payload));
      if (purge === "soft") await cache.purgeTags([`a ${key}`], { soft: true });
      if (purge === "hard") await cache.purgeTags([`b ${key}`]);
      if (purge === "together") await cache.purgeTags([`a ${key}`, `b ${key}`], { match: "all" });
      if (purge === "half together") await cache.purgeTags([`a ${key}`, "elsewhere"], { match: "all" });
      if (purge === "other") await cache.purgeTags(["elsewhere"]);
      return JSON.stringify({ what, fresh: freshUntilMs - nowMs, deltaMs, token, lease: leaseUntilMs - nowMs, purge });
    }
    case "lease":
      await put(placeholder("abcdefghijkl", nowMs + 30_000), 30_000);
      return what;
    case "plain":
      await put('"old"');
      return what;
    case "bytes":
      await put(pick<Argument>([Uint8Array.of(0, 1, 2), "{", "\x11V1x", "\x11V1!00000000000000x"]));
      return what;
    case "newer":
      await put("\x11V2 and something else");
      return what;
    case "mark": {
      const freshUntilMs = nowMs + pick(SECONDS) * 1_000;
      const leaseUntilMs = pick([0, nowMs + 30_000]);
      await put(seal({ freshUntilMs, deltaMs: 0, token: "abcdefghijkl", leaseUntilMs }, "~", "x"));
      return JSON.stringify({ what, fresh: freshUntilMs - nowMs, lease: leaseUntilMs - nowMs });
    }
    case "list":
      await cache.connection.send([["SADD", stored, "member"]]);
      return what;
    default:
      return what;
  }
}

/** What a call has done. */
interface Done {
  readonly value: unknown;
  readonly hasFailed: boolean;
  readonly loads: number;
  readonly hasWaited: boolean;
  readonly isStored: boolean;
}

async function getOrSet(cache: Cache, key: string): Promise<Done> {
  let [loads, hasWaited, hasFailed] = [0, false, false];
  const end = cache.on("wait", () => {
    hasWaited = true;
  });
  const loader = () => {
    loads++;
    return "new";
  };
  const value = await cache.getOrSet(key, loader, { ttl: 60 }).catch(() => {
    hasFailed = true;
  });
  // Refreshes in the background have ended then.
  await cache.parts.client.close();
  end();
  const [reply = null] = await cache.connection.send([["GET", String(cache.makeKey(key))]], { readOnly: true });
  const isStored = reply instanceof Uint8Array && new TextDecoder().decode(reply).endsWith('"new"');
  return { value, hasFailed, loads, hasWaited, isStored };
}

/** What a call may have done that was to have this outcome. */
function isAsSaid(why: WhyReport, { value, hasFailed, loads, hasWaited, isStored }: Done): boolean {
  const isOld = value === "old" && !hasFailed && !hasWaited;
  // Whether a value is refreshed early is drawn.
  const isDrawn = why.reasons.some((reason) => reason.includes("refreshes it early"));
  switch (why.outcome) {
    case "hit":
      return isOld && (isDrawn || loads === 0);
    case "refresh": {
      const isOthers = why.reasons.some((reason) => reason.includes("holds the lease"));
      return isOld && (isDrawn || (isOthers ? loads === 0 : loads === 1 && isStored));
    }
    case "load":
      return value === "new" && loads === 1 && isStored && !hasWaited;
    case "alone":
      return value === "new" && loads === 1 && !isStored && !hasWaited;
    case "wait":
      return hasWaited;
    case "fail":
      return hasFailed;
  }
}

const CLIENTS = {
  herd: () => herd({ waitTimeout: 0.05, grace: 60 }),
  default: () => defaultClient(),
};

describe.each(["memory", "server"])("over %s", (place) => {
  it.each(["herd", "default"] as const)(
    "explain says what get and getOrSet of the %s client then do",
    async (name) => {
      const keyPrefix = randomUUID();
      const location = place === "memory" ? `memory:${keyPrefix}` : inject("valkeyUrl");
      const make = () => {
        const cache = createCache({ location, keyPrefix, client: CLIENTS[name](), logger: false });
        open.push(cache);
        return cache;
      };
      const [writer, looker, caller] = [make(), make(), make()];
      const seed = Math.floor(Math.random() * 2 ** 31);
      const pick = randomOf(seed);
      const seen = new Set<string>();
      for (let i = 0; i < 400; i++) {
        const key = `key ${i}`;
        const state = await prepare(writer, key, pick);
        const why = await explain(looker, key);
        const got = await caller.get(key).then(
          (value) => (value === undefined ? "miss" : "hit"),
          () => "fail",
        );
        const done = await getOrSet(caller, key);
        const about = JSON.stringify({ seed, i, state, done, why: { ...why, entry: why.entry.state } });
        expect(isAsSaid(why, done), about).toBe(true);
        expect(why.get, about).toBe(got);
        seen.add(why.outcome);
      }
      expect([...seen].sort()).toEqual(
        name === "herd" ? ["alone", "hit", "load", "refresh", "wait"] : ["alone", "hit", "load", "refresh"],
      );
    },
    60_000,
  );
});
