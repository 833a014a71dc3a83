import { describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { DeferredConnection } from "../../src/connection/deferred.js";
import { CircuitBreaker } from "../../src/connection/resilience/circuit-breaker.js";
import { LazyConnection } from "../../src/connection/resilience/lazy-connection.js";
import type { Connection, ConnectionEvent, ConnectionFactory } from "../../src/core/connection.js";
import { systemClock } from "../../src/core/time.js";
import {
  type Cache,
  type CacheEvents,
  ConnectionError,
  createCache,
  glide,
  iovalkey,
  memory,
  sentinel,
} from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { freePort } from "../support/ports.js";
import { startSentinels } from "../support/sentinels.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { fakeConnection } from "./fake-connection.js";

type Told = (CacheEvents["connection"] & { kind: "connection" }) | (CacheEvents["breaker"] & { kind: "breaker" });

/** What a cache tells of its connection and the breaker, until `end`. */
function listen(cache: Cache) {
  const told: Told[] = [];
  const ends = [
    cache.on("connection", (event) => void told.push({ kind: "connection", ...event })),
    cache.on("breaker", (event) => void told.push({ kind: "breaker", ...event })),
  ];
  const states = (kind: Told["kind"]) => told.flatMap((event) => (event.kind === kind ? [event.state] : []));
  return { told, states, end: () => ends.map((end) => end()) };
}

function open(location: string, connectionFactory: ConnectionFactory): Cache {
  const cache = createCache({ location, connectionFactory, keyPrefix: ownPrefix(), logger: false });
  onTestFinished(() => cache.close());
  return cache;
}

describe.each([
  ["valkey-glide", () => glide({ connectTimeout: 1, commandTimeout: 1 })],
  ["iovalkey", () => iovalkey({ connectTimeout: 1, commandTimeout: 1 })],
])("over %s", (_name, factory) => {
  it("a cache emits events of its connection and its breaker while the server is killed and comes back", async () => {
    await using server = await startValkey();
    const cache = open(server.url, factory());
    const { told, states } = listen(cache);
    expect(told).toEqual([]);
    await Promise.all([cache.get("a"), cache.set("a", 1)]);
    expect(told).toEqual([{ kind: "connection", state: "opened", durationMs: expect.any(Number), error: undefined }]);
    await server.kill("SIGKILL");
    const isOpen = async () => {
      await cache.get("a").catch(() => {});
      return states("breaker").length > 0;
    };
    await until(isOpen, { what: "the breaker to open", timeoutMs: 10_000 });
    expect(states("breaker")).toEqual(["open"]);
    expect(told.find(({ kind }) => kind === "breaker")?.error).toBeInstanceOf(ConnectionError);
    expect(states("connection").slice(0, 2)).toEqual(["opened", "ended"]);
    expect(
      states("connection")
        .slice(2)
        .every((state) => state === "failed"),
    ).toBe(true);
    await server.restart();
    await until(() => cache.set("a", 1), { what: "the cache to recover", timeoutMs: 10_000 });
    expect(states("breaker")).toEqual(["open", "closed"]);
    expect(states("connection").filter((state) => state !== "failed")).toEqual(["opened", "ended", "opened"]);
    for (const { state, error } of told)
      expect(error === undefined, state).toBe(state === "opened" || state === "closed");
  });

  it("each cache of a connection emits each event once, with its views, and none after it is closed", async () => {
    await using server = await startValkey();
    const shared = factory();
    const [one, two] = [open(server.url, shared), open(server.url, shared)];
    const [here, there] = [listen(one), listen(two)];
    const views = [one.for(), one.for()];
    await Promise.all([...views, two].map((cache) => cache.get("a")));
    expect([here.states("connection"), there.states("connection")]).toEqual([["opened"], ["opened"]]);
    await Promise.all(views.map((view) => view.close()));
    await two.close();
    await server.kill("SIGKILL");
    const isOpen = async () => {
      await one.get("a").catch(() => {});
      return here.states("breaker").length > 0;
    };
    await until(isOpen, { what: "the breaker to open", timeoutMs: 10_000 });
    expect(here.states("connection").slice(0, 2)).toEqual(["opened", "ended"]);
    expect(there.told.map(({ state }) => state)).toEqual(["opened"]);
    await one.close();
    const { length } = here.told;
    const other = open(server.url, shared);
    await other.get("a").catch(() => {});
    expect(here.told).toHaveLength(length);
  });

  it("a server that can't be reached is an event with the reason", async () => {
    const cache = open(`valkey://127.0.0.1:${await freePort()}`, factory());
    const { told } = listen(cache);
    const error = await cache.get("a").catch((reason: unknown) => reason);
    expect(told.map(({ kind, state }) => `${kind} ${state}`)).toEqual(["connection failed", "breaker open"]);
    expect(told.map((event) => event.error)).toEqual([error, error]);
  });

  it("the end of the last connection of a closed cache is an event", async () => {
    const cache = open(inject("valkeyUrl"), factory());
    const { states } = listen(cache);
    await cache.get("a");
    await cache.close();
    expect(states("connection")).toEqual(["opened", "ended"]);
  });
});

describe("through sentinels", () => {
  it("a failover emits the end of one connection and the beginning of another", async () => {
    await using servers = await startSentinels();
    const factory = sentinel({ sentinels: servers.sentinels.map(({ host, port }) => ({ host, port })) });
    const cache = open(`valkey://${servers.service}`, factory);
    const { states } = listen(cache);
    await cache.set("a", 1);
    expect(states("connection")).toEqual(["opened"]);
    await servers.failover();
    const isReplaced = async () => {
      await cache.set("a", 2).catch(() => {});
      return states("connection").filter((state) => state !== "failed").length >= 3;
    };
    await until(isReplaced, { what: "another connection", timeoutMs: 15_000 });
    expect(
      states("connection")
        .filter((state) => state !== "failed")
        .slice(0, 3),
    ).toEqual(["opened", "ended", "opened"]);
  }, 60_000);
});

/** A connection factory over memory whose watchers can be counted. */
function counted(shares: boolean) {
  const watchers = new Set<(event: ConnectionEvent) => void>();
  const factory: ConnectionFactory = {
    shares,
    connect: (...given) => {
      const connection: Connection = memory().connect(...given);
      connection.watch = (listener) => {
        watchers.add(listener);
        return () => void watchers.delete(listener);
      };
      return connection;
    },
  };
  return { factory, watchers };
}

describe("watchers of a connection", () => {
  it.each([true, false])("are gone with their caches and views, when invocations share it: %s", async (shares) => {
    const { factory, watchers } = counted(shares);
    for (let round = 0; round < 100; round++) {
      await using cache = createCache({ location: "memory:", connectionFactory: factory });
      cache.on("connection", () => {});
      await using view = cache.for();
      await view.get("a");
      expect(watchers.size).toBe(shares ? 1 : 2);
    }
    expect(watchers.size).toBe(0);
  });

  it("are called for a connection whose code is loaded later, until they have ended", async () => {
    let tell: ((event: ConnectionEvent) => void) | undefined;
    const inner: Connection = {
      ...fakeConnection(),
      watch(listener) {
        tell = listener;
        return () => {};
      },
    };
    const connection = new DeferredConnection(async () => inner);
    const early = vi.fn();
    const ended = vi.fn();
    const late = vi.fn();
    const end = connection.watch(early);
    connection.watch(ended)();
    await connection.send([["PING"]]);
    connection.watch(late);
    const opened = { kind: "connection", state: "opened", durationMs: 1, error: undefined } as const;
    tell?.(opened);
    end();
    tell?.({ ...opened, state: "ended" });
    expect([early, ended, late].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 2]);
    expect(early).toHaveBeenCalledWith(opened);
  });
});

describe("connections of several invocations that share a breaker", () => {
  it("emit it once, however many there are, and leave nothing behind", async () => {
    const breaker = new CircuitBreaker("valkey://test", systemClock, 1_000);
    const lost = new ConnectionError("lost");
    let isLost = true;
    const factory: ConnectionFactory = {
      shares: false,
      connect: () =>
        new LazyConnection(async () => (isLost ? Promise.reject(lost) : fakeConnection()), {
          name: "valkey://test",
          connectTimeoutMs: 500,
          commandTimeoutMs: 500,
          maxIdleMs: Number.POSITIVE_INFINITY,
          redial: true,
          clock: systemClock,
          breaker,
        }),
    };
    const cache = createCache({ location: "valkey://test", connectionFactory: factory, logger: false });
    const { states } = listen(cache);
    const views = Array.from({ length: 5 }, () => cache.for());
    await Promise.allSettled(views.map((view) => view.connection.send([["PING"]])));
    expect(states("breaker")).toEqual(["open"]);
    isLost = false;
    const isBack = async () => (await views[0]?.connection.send([["PING"]]))?.[0] === "PONG";
    await until(isBack, { what: "the breaker to close" });
    expect(states("breaker")).toEqual(["open", "closed"]);
    await Promise.all([cache, ...views].map((one) => one.close()));
    expect(breaker.watchers.size).toBe(0);
  });
});

describe("a connection whose commands outlive their deadline while it closes", () => {
  it("ends once", async () => {
    const never = vi.fn(() => new Promise<never>(() => {}));
    const connection = new LazyConnection(async () => fakeConnection({ send: never }), {
      name: "valkey://test",
      connectTimeoutMs: 100,
      commandTimeoutMs: 100,
      maxIdleMs: Number.POSITIVE_INFINITY,
      redial: true,
      clock: systemClock,
    });
    const told = vi.fn();
    connection.watch(told);
    const sent = connection.send([["PING"]]).catch(() => {});
    await until(() => never.mock.calls.length > 0, { what: "the command to be sent" });
    await Promise.all([connection.close(), sent]);
    expect(told.mock.calls.map(([{ state }]) => state)).toEqual(["opened", "ended"]);
  });
});
