import { describe, expect, inject, it, vi } from "vitest";
import type { Connector } from "../../src/connection/iovalkey/connector.js";
import { ConnectionError } from "../../src/core/errors.js";
import { type Cache, createCache, iovalkey } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { goneServer } from "../contract/gone-server.js";
import { until } from "../support/wait.js";
import { connectTo } from "./request.js";
import { sockets } from "./sockets.js";

/** Nothing listens there. */
const NOWHERE = "valkey://127.0.0.1:1";

/** What one invocation's call comes to. */
async function ask(cache: Cache): Promise<unknown> {
  await using own = cache.for({});
  return await own.has("anything").catch((error: unknown) => error);
}

const askAtOnce = (cache: Cache) => Promise.all(Array.from({ length: 20 }, () => ask(cache)));

const isRefusal = (answer: unknown) => answer instanceof ConnectionError && answer.message.includes("fail at once");

describe("a server that refuses connections, in workerd", () => {
  it.each([
    ["node:net", undefined],
    ["cloudflare:sockets", sockets],
  ])(
    "is dialled once over %s, and calls after that fail at once, those of other invocations, too",
    async (_, connector) => {
      const dial = vi.fn<Connector>(connector);
      const connectionFactory = iovalkey(connector && { connector: dial });
      const cache = createCache({ location: NOWHERE, connectionFactory });
      const first = await ask(cache);
      expect(first).toBeInstanceOf(ConnectionError);
      expect(String(first)).toMatch(/could not be reached/);
      const answers = await askAtOnce(cache);
      expect(answers.map(isRefusal)).toEqual(Array(20).fill(true));
      expect(answers.map((answer) => (answer as Error).cause)).toEqual(Array(20).fill(first));
      expect(dial).toHaveBeenCalledTimes(connector ? 1 : 0);
    },
  );

  it("has one call at a time find out whether it is back, and is used again when it is", async () => {
    const location = inject("ownUrls").breaker;
    await using connection = connectTo(location);
    const cache = createCache({ location, keyPrefix: ownPrefix() });
    expect(await ask(cache)).toBe(false);
    {
      await using _gone = await goneServer(connection);
      expect(await ask(cache)).toBeInstanceOf(ConnectionError);
      const probes = await until(
        async () => {
          const answers = await askAtOnce(cache);
          return answers.filter((answer) => !isRefusal(answer));
        },
        { what: "a call to be let through" },
      );
      expect(probes.length).toBeLessThanOrEqual(1);
    }
    await until(async () => (await ask(cache)) === false, { what: "the server to be used again" });
    expect(await askAtOnce(cache)).toEqual(Array(20).fill(false));
  });
});
