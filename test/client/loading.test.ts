import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Loader, LoaderContext, LoadOptions } from "../../src/client/client.js";
import { load } from "../../src/client/loading.js";
import { Sharing } from "../../src/client/single-flight.js";
import { LoaderTimeoutError } from "../../src/core/errors.js";
import { Events } from "../../src/core/events.js";
import { systemClock } from "../../src/core/time.js";
import { createCache } from "../../src/index.js";
import { Tags } from "../../src/tags/tags.js";
import { deferred } from "../support/deferred.js";

const signal = () => new AbortController().signal;
const { connection } = createCache({ location: "memory:" });
const context = {
  clock: systemClock,
  tags: new Tags({ key: () => "", log: undefined }),
  unordered: connection,
  report: () => {},
};

function run(loader: Loader<unknown>, options: Partial<LoadOptions> = {}, events = new Events()) {
  const all = { method: "getOrSet", key: "k", loader, stale: undefined, options: { ttlMs: 1_000, ...options }, signal };
  return load({ ...context, events, sharing: new Sharing() }, all);
}

describe("a load", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("gives the value, and the lifetime of the call", async () => {
    expect(await run(() => "value")).toMatchObject({ value: "value", ttlMs: 1_000 });
    expect(await run(async () => "value", { ttlMs: null })).toMatchObject({ value: "value", ttlMs: null });
  });

  it.each<[string, (context: LoaderContext) => void, number | null | undefined]>([
    ["seconds", (context) => context.ttl(5), 5_000],
    ["a text", (context) => context.ttl("2m"), 120_000],
    ["for ever", (context) => context.ttl(null), null],
    ["nothing", (context) => context.ttl(0), undefined],
    ["less than nothing", (context) => context.ttl(-1), undefined],
    ["not at all", (context) => context.doNotStore(), undefined],
  ])("keeps the value for what the loader says: %s", async (_, say, ttlMs) => {
    const loaded = await run((context) => {
      say(context);
      return "value";
    });
    expect(loaded).toMatchObject({ value: "value", ttlMs });
  });

  it.each([0, -1])("keeps nothing for a lifetime of %j", async (ttlMs) => {
    expect(await run(() => "value", { ttlMs })).toMatchObject({ value: "value", ttlMs: undefined });
  });

  it("keeps no undefined, and keeps null", async () => {
    expect(await run(() => undefined)).toMatchObject({ value: undefined, ttlMs: undefined });
    expect(await run(() => null)).toMatchObject({ value: null, ttlMs: 1_000 });
  });

  it("fails as the loader does, and on a lifetime that is none", async () => {
    const broken = new Error("broken");
    await expect(
      run(() => {
        throw broken;
      }),
    ).rejects.toBe(broken);
    await expect(run(() => Promise.reject(broken))).rejects.toBe(broken);
    await expect(run((context) => context.ttl("soon" as "1s"))).rejects.toThrow(TypeError);
  });

  it("has the stale value, and a signal for when no caller wants the answer any more", async () => {
    const controller = new AbortController();
    let told: LoaderContext | undefined;
    const { promise, resolve } = deferred();
    const loading = load(
      { ...context, events: new Events(), sharing: new Sharing() },
      {
        method: "getOrSet",
        key: "k",
        loader: (context) => {
          told = context;
          return promise;
        },
        stale: "old",
        options: { ttlMs: null },
        signal: () => controller.signal,
      },
    );
    expect(told?.stale).toBe("old");
    expect(told?.signal.aborted).toBe(false);
    controller.abort(new Error("gone"));
    expect(told?.signal.reason).toMatchObject({ message: "gone" });
    resolve();
    await loading;
  });

  it("is given up after the hard timeout, and its signal fires with the reason", async () => {
    let told: LoaderContext | undefined;
    const loading = run(
      (context) => {
        told = context;
        context.signal.throwIfAborted();
        return new Promise(() => {});
      },
      { hardTimeoutMs: 500 },
    );
    const outcome = expect(loading).rejects.toThrow(LoaderTimeoutError);
    await vi.advanceTimersByTimeAsync(500);
    await outcome;
    expect(told?.signal.reason).toBeInstanceOf(LoaderTimeoutError);
  });

  it("leaves no timer behind", async () => {
    await run(() => 1, { hardTimeoutMs: 500 });
    await run(() => Promise.reject(new Error("broken")), { hardTimeoutMs: 500 }).catch(() => {});
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is emitted to listeners, with how long it took and whether it failed", async () => {
    const events = new Events();
    const seen: unknown[] = [];
    events.on("load", (event) => seen.push(event));
    const slow = run(() => new Promise((resolve) => setTimeout(resolve, 70, "value")), {}, events);
    await vi.advanceTimersByTimeAsync(70);
    expect((await slow).durationMs).toBe(70);
    await run(() => Promise.reject(new Error("broken")), {}, events).catch(() => {});
    expect(seen).toEqual([
      { method: "getOrSet", key: "k", count: 1, durationMs: 70, failed: false, background: false },
      { method: "getOrSet", key: "k", count: 1, durationMs: 0, failed: true, background: false },
    ]);
  });
});
