import { describe, expect, inject, it } from "vitest";
import { throwIfError } from "../../src/core/errors.js";
import { toText } from "../../src/core/text.js";
import { type Cache, createCache, sentinel } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { until } from "../support/wait.js";
import { connectTo } from "./request.js";

const { service, addresses } = inject("sentinels");

async function send(port: number, ...command: [string, ...string[]]) {
  await using connection = connectTo(`valkey://127.0.0.1:${port}`);
  const [reply = null] = await connection.send([command]);
  return throwIfError(reply);
}

/** The port of the primary that all sentinels name; undefined while they differ. */
async function primaryPort(): Promise<number | undefined> {
  const ask = ({ port }: { port: number }) => send(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service);
  const ports = (await Promise.all(addresses.map(ask))).map((reply) => portIn(reply));
  return new Set(ports).size === 1 ? ports[0] : undefined;
}

async function portOf(cache: Cache): Promise<number> {
  const [reply] = await cache.connection.send([["CONFIG", "GET", "port"]]);
  return portIn(reply);
}

/** The last of a list of texts. */
function portIn(reply: unknown): number {
  const last: unknown = Array.isArray(reply) ? reply.flat().at(-1) : undefined;
  return Number(last instanceof Uint8Array ? toText(last) : last);
}

const open = (): Cache =>
  createCache({
    location: `valkey://${service}/0`,
    connectionFactory: sentinel({ sentinels: addresses }),
    keyPrefix: ownPrefix(),
  });

describe("a cache through sentinels, in workerd", () => {
  it("is at the primary that they name, in each invocation", async () => {
    const cache = open();
    for (let i = 0; i < 3; i++) {
      await using own = cache.for({});
      expect(await own.incr("a", 1, { create: true })).toBe(i + 1);
      expect(await portOf(own)).toBe(await primaryPort());
    }
  });

  it("wants an invocation", async () => {
    await expect(open().get("a")).rejects.toThrow(/cache\.for\(/);
  });

  it("follows a failover, in the invocation that sees it and in those after it", async () => {
    const cache = open();
    await using own = cache.for({});
    await own.set("a", "before");
    const before = await until(primaryPort, { what: "the sentinels to agree" });
    expect(await portOf(own)).toBe(before);
    const [{ port = 0 } = {}] = addresses;
    await until(() => send(port, "SENTINEL", "FAILOVER", service), { what: "a failover to begin" });
    const after = await until(async () => [await primaryPort()].find((now) => now !== before), {
      what: "the failover",
      timeoutMs: 10_000,
    });
    {
      await using next = cache.for({});
      expect(await portOf(next)).toBe(after);
      expect(await next.get("a")).toBe("before");
    }
    // As sentinels tell it in the end.
    await send(before, "REPLICAOF", "127.0.0.1", String(after));
    await until(async () => (await own.set("a", "after")) && (await portOf(own)) === after, {
      what: "the connection to follow",
    });
    await using next = cache.for({});
    expect(await next.get("a")).toBe("after");
  });
});
