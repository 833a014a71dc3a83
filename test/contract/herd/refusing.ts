import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { herd } from "../../../src/client/herd/client.js";
import type { Command, Connection, Reply } from "../../../src/core/connection.js";
import { ConnectionError, type ReplyError, throwIfError } from "../../../src/core/errors.js";
import { until } from "../../support/wait.js";
import { ownPrefix } from "../cache/stored.js";
import { goneServer } from "../gone-server.js";

/** A server of the suite's own, which may refuse and be gone as it likes. */
export interface RefusingSubject {
  /** Its administrator's, which no cache uses. */
  readonly connection: Connection;
  /** A cache of a process of its own. */
  open(options: Partial<CacheOptions>): Cache;
  stop(): Promise<void>;
}

/** How a server comes to refuse writes, what it says then, and how it comes to take them again. */
const REFUSALS: readonly [code: string, refuse: readonly Command[], undo: Command][] = [
  ["OOM", [["CONFIG", "SET", "maxmemory", "1"]], ["CONFIG", "SET", "maxmemory", "0"]],
  // Of a primary that isn't there, so that it keeps what it has.
  ["READONLY", [["REPLICAOF", "127.0.0.1", "1"]], ["REPLICAOF", "NO", "ONE"]],
  // No snapshot can take a folder's place.
  ["MISCONF", [["CONFIG", "SET", "dbfilename", ".", "save", "3600 1"], ["BGSAVE"]], ["CONFIG", "SET", "save", ""]],
  ["NOREPLICAS", [["CONFIG", "SET", "min-replicas-to-write", "1"]], ["CONFIG", "SET", "min-replicas-to-write", "0"]],
];

/** What the herd client does when a server refuses writes, or is gone. */
export function refusing(name: string, make: () => Promise<RefusingSubject>): void {
  describe(`over ${name}`, () => {
    let subject: RefusingSubject;
    beforeAll(async () => {
      subject = await make();
    });
    afterAll(() => subject?.stop());

    async function admin(command: Command): Promise<Reply> {
      const [reply = null] = await subject.connection.send([command]);
      return throwIfError(reply);
    }

    /** Opens caches of processes of their own, for one test. */
    function fleet(): (options?: Partial<CacheOptions>) => Cache {
      const keyPrefix = ownPrefix();
      return (options) => {
        const cache = subject.open({ client: herd({ retryAfter: 0 }), keyPrefix, ...options });
        onTestFinished(() => cache.close());
        return cache;
      };
    }

    const isRefused = async (): Promise<boolean> => {
      const [reply] = await subject.connection.send([["SET", "refused", "1", "PX", "1"]]);
      return reply instanceof Error;
    };

    describe.each(REFUSALS)("a server that refuses writes with %s", (code, refuse, undo) => {
      it("answers what it has, and has the loader called for what it hasn't", async () => {
        const onError = vi.fn();
        const open = fleet();
        const cache = open({ onError });
        await cache.setMany({ a: "stored", b: "stored" });
        await cache.set("old", "stale", { ttl: "1ms" });
        await expect.poll(() => cache.has("old")).toBe(false);
        try {
          for (const command of refuse) await admin(command);
          await until(isRefused, { what: "writes to be refused" });
          const other = open({ onError });
          const loader = vi.fn(async () => "loaded");
          for (const one of [cache, other]) expect(await one.getOrSet("a", loader)).toBe("stored");
          expect(onError).not.toHaveBeenCalled();
          expect(await other.getOrSet("old", loader)).toBe("stale");
          await until(() => onError.mock.calls.length === 1, { what: "the refused refresh" });
          expect(loader).not.toHaveBeenCalled();
          const tries = Array.from({ length: 20 }, () => other.getOrSet("missing", loader));
          expect(await Promise.all(tries)).toEqual(Array(20).fill("loaded"));
          expect(loader).toHaveBeenCalledTimes(1);
          const many = vi.fn(async (keys: string[]) => new Map(keys.map((key) => [key, "loaded"])));
          expect(await other.getOrSetMany(["a", "missing", "b"], many)).toEqual(
            new Map(Object.entries({ a: "stored", missing: "loaded", b: "stored" })),
          );
          expect(many.mock.calls.map(([keys]) => keys)).toEqual([["missing"]]);
          const told = onError.mock.calls.map(([error]) => (error as ReplyError).code);
          expect(told).toEqual([code, code, code]);
        } finally {
          await admin(undo);
        }
        expect(await cache.has("missing")).toBe(false);
      });
    });

    describe("a user whose ACL forbids writes", () => {
      it("gets what is stored, waits for what other processes load, and loads for itself what none of them loads", async () => {
        await admin(["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+@connection"]);
        const onError = vi.fn();
        const open = fleet();
        const writer = open();
        const reader = open({ username: "reader", password: "secret", onError });
        await writer.set("a", "stored");
        const loader = vi.fn(async () => "loaded");
        expect(await reader.getOrSet("a", loader)).toBe("stored");
        expect(onError).not.toHaveBeenCalled();
        const loading = writer.getOrSet("b", () => new Promise((resolve) => setTimeout(resolve, 200, "written")));
        await until(async () => (await admin(["EXISTS", String(writer.makeKey("b"))])) === 1, {
          what: "the writer's lease",
        });
        expect(await reader.getOrSet("b", loader)).toBe("written");
        expect(await loading).toBe("written");
        expect(loader).not.toHaveBeenCalled();
        expect(await reader.getOrSet("c", loader)).toBe("loaded");
        expect(onError).toHaveBeenCalledExactlyOnceWith(
          expect.objectContaining({ name: "ReplyError", code: "NOPERM" }),
          expect.anything(),
        );
      });
    });

    describe("a server that is down", () => {
      it("has each process call the loader once at a time for each key, and answer with that", async () => {
        const onError = vi.fn();
        const open = fleet();
        const caches = [100, 101].map((ms) => open({ commandTimeout: `${ms}ms`, onError }));
        await Promise.all(caches.map((cache) => cache.set("a", "stored")));
        await using _gone = await goneServer(subject.connection);
        const loader = vi.fn(() => new Promise((resolve) => setTimeout(resolve, 50, "loaded")));
        const tries = caches.flatMap((cache) => Array.from({ length: 20 }, () => cache.getOrSet("a", loader)));
        expect(await Promise.all(tries)).toEqual(Array(40).fill("loaded"));
        expect(loader).toHaveBeenCalledTimes(2);
        expect(onError).toHaveBeenCalledTimes(2);
        expect(onError.mock.calls[0]?.[0]).toBeInstanceOf(ConnectionError);
        const many = vi.fn(async (keys: string[]) => new Map(keys.map((key) => [key, key])));
        expect(await caches[0]?.getOrSetMany(["a", "b"], many)).toEqual(new Map(Object.entries({ a: "a", b: "b" })));
        expect(many).toHaveBeenCalledTimes(1);
      });
    });
  });
}
