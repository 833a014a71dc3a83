import { describe, expect, it } from "vitest";
import { ConnectionError } from "../../../src/core/errors.js";
import type { Open } from "../cache.js";
import { COMMANDS } from "./commands.js";
import { ownPrefix } from "./stored.js";

export function closing(open: Open): void {
  describe("a closed cache", () => {
    it("can be closed again", async () => {
      const cache = open();
      await cache.set("a", 1);
      await cache.close();
      await cache.close();
      await Promise.all([cache.close(), cache[Symbol.asyncDispose]()]);
    });

    it("can be closed before its first command", async () => {
      const cache = open();
      await cache.close();
      await expect(cache.get("a")).rejects.toThrow(ConnectionError);
    });

    it.each(Object.entries(COMMANDS))("answers %s with a ConnectionError that says so", async (_, { run }) => {
      const cache = open();
      await cache.close();
      const error: unknown = await run(cache).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(ConnectionError);
      expect(String(error)).toMatch(/closed/);
    });

    it("is refused over the raw connection, too", async () => {
      const cache = open();
      await cache.close();
      await expect(cache.connection.send([["PING"]])).rejects.toThrow(/closed/);
    });

    it("does not close other caches of the same server", async () => {
      const keyPrefix = ownPrefix();
      const [one, other] = [open({ keyPrefix }), open({ keyPrefix })];
      await one.set("a", 1);
      await one.close();
      expect(await other.get("a")).toBe(1);
    });

    it("is closed at the end of its block", async () => {
      let left: ReturnType<Open>;
      {
        await using cache = open();
        await cache.set("a", 1);
        left = cache;
      }
      await expect(left.get("a")).rejects.toThrow(ConnectionError);
    });
  });
}
