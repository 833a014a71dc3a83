import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { warnOfErrors } from "../../src/cache/settings.js";
import { createCache, herd } from "../../src/index.js";
import { freePort } from "../support/ports.js";

describe("errors that no caller gets", () => {
  let warn: ReturnType<typeof vi.spyOn>;

  beforeEach(() => {
    warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  });
  afterEach(() => warn.mockRestore());

  const gone = async () => `valkey://user:secret@127.0.0.1:${await freePort()}`;

  it.each(["default client", "herd"])(
    "are warned of once, with server, cause and remedy, and no password: %s",
    async (client) => {
      const options = client === "herd" ? { client: herd() } : {};
      await using cache = createCache({ location: await gone(), ...options });
      for (let i = 0; i < 5; i++) expect(await cache.getOrSet(`key ${i}`, () => "loaded")).toBe("loaded");
      expect(warn).toHaveBeenCalledTimes(1);
      const [text] = warn.mock.calls[0] as [string];
      expect(text).toMatch(/valkey-edge-cache: getOrSet ":1:key 0": .*127\.0\.0\.1.*loaders answer.*onError/);
      expect(text).not.toContain("secret");
    },
  );

  it("go to onError alone where there is one", async () => {
    const onError = vi.fn();
    await using cache = createCache({ location: await gone(), onError });
    await cache.getOrSet("a", () => 1);
    expect(onError).toHaveBeenCalled();
    expect(warn).not.toHaveBeenCalled();
  });

  it("go to the logger that is given, or nowhere", async () => {
    const logger = { warn: vi.fn() };
    await using cache = createCache({ location: await gone(), logger });
    await cache.getOrSet("a", () => 1);
    expect(logger.warn).toHaveBeenCalledTimes(1);
    await using silent = createCache({ location: await gone(), logger: false });
    await silent.getOrSet("a", () => 1);
    expect(warn).not.toHaveBeenCalled();
    expect(() => createCache({ location: "memory:", logger: {} as never })).toThrow(/a logger such as console/);
  });

  it("are counted, and warned of once a minute", () => {
    let nowMs = 0;
    const logger = { warn: vi.fn() };
    const report = warnOfErrors(logger, { now: () => nowMs });
    const fail = () => report(new Error("gone"), { method: "get", key: "a" });
    for (let i = 0; i < 10; i++) fail();
    nowMs += 59_999;
    fail();
    expect(logger.warn).toHaveBeenCalledTimes(1);
    nowMs += 1;
    fail();
    expect(logger.warn).toHaveBeenCalledTimes(2);
    expect(String(logger.warn.mock.calls[1])).toContain("11 errors since the last warning");
  });
});
