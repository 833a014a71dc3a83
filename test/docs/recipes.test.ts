import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, beforeEach, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { startSite } from "../fetch/site.js";
import { documented, importBlock } from "../support/docs.js";
import { freePort, HOST } from "../support/ports.js";
import { build, root } from "../support/project.js";
import { until } from "../support/wait.js";

/** Inside the repository, as the blocks are. */
const folder = join(root, ".cache", "docs", "recipes");

/** What the pages use of their caches. */
interface Used extends AsyncDisposable {
  keys(): Promise<string[]>;
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  ttl(key: string): Promise<number | null | undefined>;
}

interface Values<T> {
  get(id: string): Promise<T>;
  peek(id: string): Promise<T | undefined>;
}

/** What stands for the application's own modules: `calls` has what each was called with. */
interface Application {
  readonly calls: unknown[];
  /** Makes the next call throw this. */
  fail?: Error | undefined;
  /** What the next calls return. */
  result?: unknown;
}

const APPLICATION = `export const application = { calls: [], fail: undefined, result: undefined };
export async function called(...args) {
  application.calls.push(args);
  // Others come meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 20));
  if (application.fail) throw application.fail;
  return application.result;
}
export const findReport = called, findAccount = called, charge = called;
export const render = async (path) => ((await called(path)) ?? "") + path + "#" + application.calls.length;
export const db = {
  user: async (id) => (await called(id), { id, name: "Ann", team: "red" }),
  users: async (ids) => (await called(...ids), new Map(ids.map((id) => [id, { id, name: "Ann", team: "red" }]))),
};
`;

let file: string;
let prefix: string;
let application: Application;

/** Runs the first block of a page in a process of its own kind: each time with another cache over the same server. */
async function run<T>(page: string, texts: Record<string, string> = {}, text = "createCache"): Promise<T> {
  const url = JSON.stringify(pathToFileURL(file).href);
  const modules = ["reports", "render", "accounts", "db", "payments"].map((name) => [`"./${name}.js"`, url]);
  return importBlock<T>(documented(`recipes/${page}.md`, text), {
    "valkey://localhost:6379": inject("valkeyUrl"),
    '"shop"': JSON.stringify(prefix),
    ...Object.fromEntries(modules),
    ...texts,
  });
}

const closed = <T extends { cache: Used }>(block: T): T => {
  onTestFinished(() => block.cache[Symbol.asyncDispose]());
  return block;
};

/** Moves the wall clock, and no timers. */
function later(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
  onTestFinished(() => void vi.useRealTimers());
}

const times = <T>(count: number, call: () => T) => Promise.all(Array.from({ length: count }, call));

beforeAll(async () => {
  await build();
  mkdirSync(folder, { recursive: true });
}, 120_000);

beforeEach(async () => {
  prefix = `recipes-${randomUUID()}`;
  file = join(folder, `${randomUUID()}.mjs`);
  writeFileSync(file, APPLICATION);
  ({ application } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { application: Application });
});

describe("slow-function.md", () => {
  interface Block {
    cache: Used;
    text: string;
    report(id: string, options: { from: Date; deep: boolean }): Promise<string>;
    reportChanged(id: string): Promise<void>;
  }
  const options = { from: new Date(0), deep: true };
  const runBoth = async (texts = {}) =>
    [closed(await run<Block>("slow-function", texts)), closed(await run<Block>("slow-function", texts))] as const;

  it("runs the function once for all callers of two caches, and again after a change", async () => {
    application.result = "first";
    const [one, other] = await runBoth();
    expect([one.text, other.text, application.calls.length]).toEqual(["first", "first", 1]);
    application.result = "second";
    await one.reportChanged("7");
    const calls = [one, other].map(({ report }) => times(20, () => report("7", options)));
    expect(new Set((await Promise.all(calls)).flat())).toEqual(new Set(["second"]));
    expect(application.calls).toEqual([
      ["7", options],
      ["7", options],
    ]);
  });

  it("answers the old result at once after five minutes, and in the place of an error", async () => {
    application.result = "old";
    const [{ report }] = await runBoth({ 'grace: "10m"': 'grace: "10m", retryAfter: "300ms"' });
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    application.fail = new Error("the database is gone");
    later(6 * 60_000);
    expect(await report("7", options)).toBe("old");
    await until(() => warn.mock.calls.length > 0, { what: "the failed run" });
    expect(await report("7", options)).toBe("old");
    application.fail = undefined;
    application.result = "new";
    await until(async () => (await report("7", options)) === "new", { what: "the new result" });
    expect(application.calls).toHaveLength(3);
  });

  it("passes an error on where there is no old result, and stores nothing", async () => {
    const [{ report, cache }] = await runBoth();
    application.fail = new Error("the database is gone");
    await expect(report("8", options)).rejects.toThrow("the database is gone");
    expect(await cache.keys()).toEqual([]);
  });

  it("runs the function once for each process while the server is gone", async () => {
    application.result = "alone";
    const location = { [inject("valkeyUrl")]: "", "valkey://localhost:6379": `valkey://${HOST}:${await freePort()}` };
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const { report } = closed(await run<Block>("slow-function", location));
    const before = application.calls.length;
    expect(new Set(await times(20, () => report("8", options)))).toEqual(new Set(["alone"]));
    expect(application.calls.length - before).toBe(1);
  });
});

describe("per-user-and-tenant.md", () => {
  interface Block {
    cache: Used;
    dashboards(tenant: string): Values<string>;
    userChanged(tenant: string, user: string): Promise<void>;
    pricesChanged(tenant: string): Promise<void>;
    tenantChanged(tenant: string): Promise<void>;
  }

  it("ends the values of a user, makes those of a tenant stale, or ends them, and leaves all others alone", async () => {
    const block = closed(await run<Block>("per-user-and-tenant"));
    const other = closed(await run<Block>("per-user-and-tenant"));
    const read = async ({ dashboards } = other) => [
      await dashboards("acme").get("7"),
      await dashboards("acme").get("8"),
      await dashboards("umbrella").get("7"),
    ];
    const first = ["/acme/dashboard/7#1", "/acme/dashboard/8#2", "/umbrella/dashboard/7#3"];
    expect([await read(), await read(block)]).toEqual([first, first]);
    await block.userChanged("acme", "7");
    expect(await read()).toEqual(["/acme/dashboard/7#4", ...first.slice(1)]);
    await block.pricesChanged("acme");
    expect(await read(), "the old ones, at once").toEqual(["/acme/dashboard/7#4", ...first.slice(1)]);
    await until(() => application.calls.length === 6, { what: "both refreshes" });
    await until(async () => (await block.dashboards("acme").get("8")) !== first[1], { what: "the new dashboard" });
    await block.tenantChanged("acme");
    expect(await block.dashboards("acme").peek("7")).toBeUndefined();
    expect(await block.dashboards("umbrella").peek("7")).toBe(first[2]);
  });
});

describe("negative-results.md", () => {
  interface Block {
    cache: Used;
    absent: null;
    accounts: Values<unknown>;
    created(name: string): Promise<boolean>;
  }

  it("stores that there is none, for ten seconds, and until the account is created", async () => {
    const { absent, accounts, created, cache } = closed(await run<Block>("negative-results"));
    expect(absent).toBeNull();
    expect([await accounts.get("unknown"), await accounts.peek("unknown"), await accounts.peek("other")]).toEqual([
      null,
      null,
      undefined,
    ]);
    expect(await cache.get("account:unknown")).toBeNull();
    expect(application.calls).toHaveLength(1);
    application.result = { name: "unknown", email: "unknown@shop.example" };
    expect(await created("unknown")).toBe(true);
    expect(await accounts.get("unknown")).toEqual(application.result);
    later(60_000);
    expect(await accounts.get("unknown")).toEqual(application.result);
    expect(application.calls, "a value is stored for ten minutes").toHaveLength(2);
  });

  it("asks again after ten seconds, and does not store an error", async () => {
    const { accounts } = closed(await run<Block>("negative-results"));
    later(11_000);
    await accounts.get("unknown");
    await until(() => application.calls.length === 2, { what: "the second look-up" });
    application.fail = new Error("status 503");
    await expect(accounts.get("somebody")).rejects.toThrow("status 503");
    expect(await accounts.peek("somebody")).toBeUndefined();
  });
});

describe("stale-on-error.md", () => {
  interface Block {
    cache: Used;
    rates(): Promise<unknown>;
  }

  async function startRates() {
    const origin = { status: 200, body: '{"CHF":1}' };
    const site = await startSite((_request, response) => response.writeHead(origin.status).end(origin.body));
    return { origin, site };
  }

  it("answers the old value while the origin fails, tries again after a pause, and then has the new one", async () => {
    const { origin, site } = await startRates();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { rates } = closed(
      await run<Block>("stale-on-error", { "https://api.example": site.url, '"10s"': '"300ms"' }),
    );
    expect(await rates()).toEqual({ CHF: 1 });
    origin.status = 503;
    later(61_000);
    expect(await times(20, rates)).toEqual(Array.from({ length: 20 }, () => ({ CHF: 1 })));
    await until(() => warn.mock.calls.length === 1, { what: "the failed refresh" });
    expect(warn.mock.calls[0]).toEqual(["getOrSet", `${prefix}:1:rates`, new Error("rates: status 503")]);
    expect([await rates(), site.asked.length]).toEqual([{ CHF: 1 }, 2]);
    Object.assign(origin, { status: 200, body: '{"CHF":2}' });
    await until(async () => JSON.stringify(await rates()) === '{"CHF":2}', { what: "the new value" });
    expect(site.asked).toHaveLength(3);
  });

  it("passes the error on when the grace is over, and where there never was a value", async () => {
    const { origin, site } = await startRates();
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const short = { "https://api.example": site.url, '"1d"': '"200ms"', '"1m"': '"100ms"' };
    const { rates } = closed(await run<Block>("stale-on-error", short));
    expect(await rates()).toEqual({ CHF: 1 });
    origin.status = 503;
    await until(() => rates().then(() => false, String), { what: "the end of the grace" });
    await expect(rates()).rejects.toThrow("rates: status 503");
  });
});

describe("warm-up.md", () => {
  interface Block {
    cache: Used;
    users: Values<unknown>;
    warmUp(ids: readonly string[], batch?: number): Promise<void>;
  }
  const ids = Array.from({ length: 250 }, (_, id) => String(id));

  it("loads each value once for all instances, in batches, and nothing the second time", async () => {
    const instances = [closed(await run<Block>("warm-up")), closed(await run<Block>("warm-up"))];
    await Promise.all(instances.map(({ warmUp }) => warmUp(ids)));
    expect(application.calls.flat().sort()).toEqual([...ids].sort());
    for (const batch of application.calls) expect((batch as unknown[]).length).toBeLessThanOrEqual(100);
    const before = application.calls.length;
    await instances[1]?.warmUp(ids);
    expect(await instances[1]?.users.peek("249")).toMatchObject({ id: "249" });
    expect(application.calls).toHaveLength(before);
  });

  it("loads nothing while the server is gone, and rejects where a load fails", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const gone = { "valkey://localhost:6379": `valkey://${HOST}:${await freePort()}` };
    await closed(await run<Block>("warm-up", gone)).warmUp(ids);
    expect(application.calls).toEqual([]);
    application.fail = new Error("the database is gone");
    await expect(closed(await run<Block>("warm-up")).warmUp(ids)).rejects.toThrow("the database is gone");
  });
});

describe("outgoing-calls.md", () => {
  interface Block {
    cache: Used;
    weather(city: string): Promise<{ degrees: number }>;
    query(text: string): Promise<unknown>;
  }

  it("asks the service once for all callers of two caches, and answers the stored response while it fails", async () => {
    const origin = { status: 200 };
    const site = await startSite((_request, response) => {
      setTimeout(() => {
        response.writeHead(origin.status, { "content-type": "application/json", date: new Date().toUTCString() });
        response.end('{"degrees":21}');
      }, 50);
    });
    const texts = { "https://api.example": site.url };
    const both = [closed(await run<Block>("outgoing-calls", texts)), closed(await run<Block>("outgoing-calls", texts))];
    const answers = await Promise.all(both.map(({ weather }) => times(10, () => weather("Bern"))));
    expect(answers.flat()).toEqual(Array.from({ length: 20 }, () => ({ degrees: 21 })));
    expect(site.asked).toEqual(["GET /weather/Bern"]);
    await until(async () => ((await both[0]?.cache.keys()) ?? []).length > 0, { what: "the stored response" });
    origin.status = 503;
    later(61_000);
    expect(await both[0]?.weather("Bern"), "the old response in the place of the 503").toEqual({ degrees: 21 });
    expect(site.asked).toHaveLength(2);
    await expect(both[0]?.weather("Basel")).rejects.toThrow("weather of Basel: status 503");
  });

  it("calls the service while the server is gone", async () => {
    const site = await startSite((_request, response) => response.end('{"degrees":3}'));
    const gone = `valkey://${HOST}:${await freePort()}`;
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const texts = { "https://api.example": site.url, "valkey://localhost:6379": gone };
    const { weather } = closed(await run<Block>("outgoing-calls", texts));
    expect(await weather("Bern")).toEqual({ degrees: 3 });
  });

  it("keeps what a POST answers, by its text", async () => {
    const site = await startSite((_request, response) => response.end('{"data":1}'));
    const { query } = await run<Block>(
      "outgoing-calls",
      { "https://api.example": site.url },
      "export async function query",
    );
    expect([await query("{ a }"), await query("{ a }"), await query("{ b }")]).toEqual([
      { data: 1 },
      { data: 1 },
      { data: 1 },
    ]);
    expect(site.asked).toEqual(["POST /graphql", "POST /graphql"]);
  });
});

describe("cron-lock.md", () => {
  interface Block {
    cache: Used;
    once(name: string, run: string, job: (signal: AbortSignal) => Promise<void>): Promise<boolean>;
    nightly(job: (signal: AbortSignal, fencing: number) => Promise<void>): Promise<boolean>;
  }

  it("runs a job once for all instances: those whose cron fires meanwhile, and those whose cron fires later", async () => {
    const instances = await times(3, async () => closed(await run<Block>("cron-lock")));
    const job = vi.fn(async (signal: AbortSignal) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      signal.throwIfAborted();
    });
    const ran = await Promise.all(instances.map(({ nightly }) => nightly(job)));
    expect(ran.filter(Boolean)).toHaveLength(1);
    expect(await instances[2]?.nightly(job), "a clock that is behind").toBe(false);
    expect(job).toHaveBeenCalledOnce();
    expect(await instances[0]?.once("nightly", "another day", job)).toBe(true);
  });

  it("runs a job again that has thrown, and none while the server is gone", async () => {
    const { once } = closed(await run<Block>("cron-lock"));
    await expect(once("nightly", "1", () => Promise.reject(new Error("no disk")))).rejects.toThrow("no disk");
    expect(await once("nightly", "1", async () => {})).toBe(true);
    const gone = { "valkey://localhost:6379": `valkey://${HOST}:${await freePort()}` };
    const job = vi.fn(async () => {});
    const alone = closed(await run<Block>("cron-lock", gone));
    await expect(alone.once("nightly", "2", job)).rejects.toMatchObject({ name: "ConnectionError" });
    expect(job).not.toHaveBeenCalled();
  });
});

describe("idempotent-jobs.md", () => {
  interface Block {
    cache: Used & { add(key: string, value: unknown): Promise<boolean> };
    pay(job: { id: string; amount: number }): Promise<{ number: string } | "busy">;
  }
  const job = { id: "order-1", amount: 5 };

  it("works once, whichever process gets the job, and answers the stored result afterwards", async () => {
    application.result = { number: "r1" };
    const processes = await times(3, async () => closed(await run<Block>("idempotent-jobs")));
    const answers = await Promise.all(processes.map(({ pay }) => pay(job)));
    expect(answers.filter((answer) => answer === "busy")).toHaveLength(2);
    expect(await processes[1]?.pay(job)).toEqual({ number: "r1" });
    expect(application.calls).toEqual([[5, { idempotencyKey: "order-1", signal: expect.any(AbortSignal) }]]);
    expect(await processes[0]?.cache.ttl("job:order-1")).toBeGreaterThan(6 * 86_400);
  });

  it("works again after an error, and not at all while the server is gone", async () => {
    const { pay, cache } = closed(await run<Block>("idempotent-jobs"));
    application.fail = new Error("card declined");
    await expect(pay(job)).rejects.toThrow("card declined");
    Object.assign(application, { fail: undefined, result: { number: "r2" } });
    expect(await pay(job)).toEqual({ number: "r2" });
    expect([await cache.add("mark", true), await cache.add("mark", true)]).toEqual([true, false]);
    const gone = { "valkey://localhost:6379": `valkey://${HOST}:${await freePort()}` };
    const before = application.calls.length;
    await expect(closed(await run<Block>("idempotent-jobs", gone)).pay(job)).rejects.toMatchObject({
      name: "ConnectionError",
    });
    expect(application.calls).toHaveLength(before);
  });
});

describe("deploys.md", () => {
  interface Block {
    cache: Used;
    users: Values<unknown> & { key(id: string): string };
  }
  const OLD = { "version: 2,": "version: 1,", "team: z.string()": "group: z.string().default('none')" };
  /** The new schema, and the old version. */
  const FORGOTTEN = { "version: 2,": "version: 1," };

  it("has both releases read and write entries of their own, so that a rollback finds the old ones", async () => {
    const old = closed(await run<Block>("deploys", OLD));
    const next = closed(await run<Block>("deploys"));
    expect((await old.cache.keys()).sort()).toEqual(["user:1@1", "user:1@2"]);
    const [before, after] = [await old.users.get("1"), await next.users.get("1")];
    expect([before, after]).toEqual([
      { id: "1", name: "Ann", group: "none" },
      { id: "1", name: "Ann", team: "red" },
    ]);
    expect(application.calls).toHaveLength(2);
  });

  it("has the schema refuse entries of the old release where the version was forgotten", async () => {
    const old = closed(await run<Block>("deploys", OLD));
    await old.cache.set("user:1@1", { id: "1", name: "Ann", group: "blue" });
    const next = closed(await run<Block>("deploys", FORGOTTEN));
    expect(await next.users.get("1")).toEqual({ id: "1", name: "Ann", team: "red" });
    expect(await next.users.peek("1"), "it was replaced").toMatchObject({ team: "red" });
  });

  it("loads what another serializer has stored under the same version, and reads it only by getOrSet", async () => {
    const before = closed(await run<Block>("deploys"));
    const after = await run<Block>("deploys", {
      'from "valkey-edge-cache"': 'from "valkey-edge-cache";import { msgpack } from "valkey-edge-cache/msgpack"',
      "client: herd()": "client: herd(), serializer: msgpack()",
    });
    closed(after);
    await before.cache.set("user:9@2", { id: "9", name: "Ann", team: "red" });
    await expect(after.cache.get("user:9@2")).rejects.toMatchObject({ name: "DecodeError" });
    expect(await after.users.get("9")).toMatchObject({ team: "red" });
    expect(await after.cache.get("user:9@2")).toMatchObject({ team: "red" });
  });
});
