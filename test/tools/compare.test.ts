import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { command } from "../support/command.js";
import { deferred } from "../support/deferred.js";
import { documented, importBlock } from "../support/docs.js";
import { build, root } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { tools } from "./app.js";

interface Subject {
  getOrSet(key: string, load: () => Promise<unknown>): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  close(): unknown;
}

interface NearSubject {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
  storedKey(key: string): string;
  close(): unknown;
}

type Opened<T> = Readonly<Record<string, (url: string) => T | Promise<T>>>;

const { subjects, nearSubjects, TTL } = (await import(pathToFileURL(join(tools, "compare-subjects.mjs")).href)) as {
  subjects: Opened<Subject>;
  nearSubjects: Opened<NearSubject>;
  TTL: number;
};

const INSTANCES = 3;
const CALLERS = 5;
const LOAD_MS = 300;
/** The library, and valkey-glide, answer within their deadlines of one second and less. */
const PATIENCE_MS = 3_000;
/** Its calls end when those of its store do, so that nothing is measured of itself. */
const STORE_DECIDES = "cache-manager";

const servers: ValkeyServer[] = [];
/** Of clients that still wait for a server. */
const calls: Promise<unknown>[] = [];
const opened: { close(): unknown }[] = [];

beforeAll(() => {
  // ocache prints errors of refreshes.
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterAll(async () => {
  // Clients that wait for their server end their calls when they have it again, and can be closed then.
  await Promise.all(servers.map((server) => server.restart()));
  await Promise.all(calls);
  await Promise.all(opened.map(async (each) => each.close()));
  await Promise.all(servers.map((server) => server.stop()));
}, 60_000);

async function open<T extends { close(): unknown }>(make: Opened<T>[string]) {
  const server = await startValkey();
  servers.push(server);
  const instance = async () => {
    const made = await make(server.url);
    opened.push(made);
    return made;
  };
  return { server, instance };
}

/** What callers of a library see, as docs/compare.md has it. */
async function observe(name: string, make: Opened<Subject>[string]): Promise<string[]> {
  const { server, instance } = await open(make);
  const instances = await Promise.all(Array.from({ length: INSTANCES }, instance));
  const [one, other, third] = instances;
  if (!one || !other || !third) throw new Error("there are three instances");
  // All are connected before anything is counted.
  for (const [i, { getOrSet }] of instances.entries()) await getOrSet(`ready:${i}`, async () => i);

  const row = [
    await loads("one", [one]),
    await loads("all", instances),
    await deletedWhileLoaded(one, other, third),
    ...(await expired(one)),
  ];
  await server.kill("SIGSTOP");
  row.push(await outcome(one, "frozen"));
  await server.kill("SIGCONT");
  await until(() => command(server.port, ["PING"]), { what: "the server to answer" });
  await server.kill("SIGKILL");
  row.push(await outcome(other, "gone"));
  return name === STORE_DECIDES ? [...row.slice(0, -2), "as its store", "as its store"] : row;
}

/** How often a value is loaded that several callers of each instance request at once. */
async function loads(key: string, instances: readonly Subject[]): Promise<string> {
  let count = 0;
  const load = () => {
    count++;
    return new Promise((resolve) => setTimeout(resolve, LOAD_MS, { loaded: count }));
  };
  await Promise.all(instances.flatMap((each) => Array.from({ length: CALLERS }, () => each.getOrSet(key, load))));
  return String(count);
}

/** Whether a value is stored that was deleted, by another instance, while it was loaded. */
async function deletedWhileLoaded(one: Subject, other: Subject, third: Subject): Promise<string> {
  const [started, loaded] = [deferred(), deferred<string>()];
  const call = one.getOrSet("deleted", () => {
    started.resolve();
    return loaded.promise;
  });
  await started.promise;
  await other.delete("deleted");
  loaded.resolve("old");
  await call;
  // What the instance stores without waiting for it is sent before these.
  for (let i = 0; i < 2; i++) await one.getOrSet(`after:${i}`, async () => i);
  return (await third.getOrSet("deleted", async () => "new")) === "old" ? "stored" : "not stored";
}

/** What a caller gets when a value has expired: while it is loaded anew, and when that fails. */
async function expired(one: Subject): Promise<string[]> {
  await one.getOrSet("expired", async () => "old");
  await one.getOrSet("failing", async () => "old");
  const storedAt = Date.now();
  await until(() => Date.now() > storedAt + TTL * 1_000 + 50, { what: "the values to expire" });
  const slow = () => new Promise((resolve) => setTimeout(resolve, LOAD_MS, "new"));
  const first = await one.getOrSet("expired", slow);
  const failing = one.getOrSet("failing", () => Promise.reject(new Error("the database is gone")));
  return [
    first === "old" ? "stale value" : "new value",
    await failing.then(
      (value) => (value === "old" ? "stale value" : String(value)),
      () => "error",
    ),
  ];
}

/** What a caller of a key that is not cached gets. */
async function outcome({ getOrSet }: Subject, key: string): Promise<string> {
  const call = getOrSet(key, async () => "loaded").then(
    (value) => (value === "loaded" ? "loaded value" : String(value)),
    () => "error",
  );
  calls.push(call);
  const { promise, resolve } = deferred<string>();
  const timer = setTimeout(resolve, PATIENCE_MS, "none in 3 s");
  return Promise.race([call, promise]).finally(() => clearTimeout(timer));
}

const page = () => readFileSync(join(root, "docs", "compare.md"), "utf8");
const between = (name: string) => page().split(`<!-- ${name} -->\n`)[1]?.split(`\n<!-- /${name} -->`)[0];

it("docs/compare.md has what callers of each library see", async () => {
  const rows = await Promise.all(
    Object.entries(subjects).map(async ([name, make]) => [name, ...(await observe(name, make))]),
  );
  const columns = ["", "one", "three", "deleted", "expired", "failing", "frozen", "gone"];
  const lines = [columns, columns.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  expect(between("observed")).toBe(lines.join("\n"));
}, 60_000);

describe("a write by another program", () => {
  it.each(Object.entries(nearSubjects))("is seen, or not, as docs/compare.md says, by %s", async (name, make) => {
    const { server, instance } = await open(make);
    const near = await instance();
    const send = (...args: [string, ...string[]]) => command(server.port, args);
    await near.set("key", { count: 1 });
    const read = () => near.get("key");
    // The second read is answered in the process.
    for (let i = 0; i < 2; i++) expect(await read()).toEqual({ count: 1 });
    const key = near.storedKey("key");
    const stored = String(await send("GET", key));
    await send("SET", key, stored.replace('"count":1', '"count":2'), "EX", "60");
    const isSeen = await until(async () => ((await read()) as { count: number }).count === 2, {
      what: "the new value",
      timeoutMs: 1_000,
    }).catch(() => false);
    expect(between("near")).toContain(`| ${name} | ${isSeen ? "yes" : "no"} |`);
  });
});

/** The manifest of a package, in the folder that has it. */
function manifestOf(name: string): { version: string; dependencies?: object } {
  const paths = [tools, root].map((folder) => join(folder, "node_modules", name, "package.json"));
  const path = paths.find((each) => existsSync(each));
  if (path === undefined) throw new Error(`${name} is not installed`);
  return JSON.parse(readFileSync(path, "utf8"));
}

it("docs/compare.md names the versions that are compared here", () => {
  const names = ["bentocache", "cache-manager", "keyv", "@epic-web/cachified", "ocache", "unstorage", "ioredis"];
  for (const name of [...names, "@valkey/valkey-glide", "@redis/client"]) {
    expect(page()).toContain(`| ${name} | ${manifestOf(name).version} |`);
  }
});

it("docs/compare.md counts the dependencies of each cache that is installed here", () => {
  const count = (name: string) => String(Object.keys(manifestOf(name).dependencies ?? {}).length);
  const [, , here, bentocache, , ...others] = (/^\| dependencies .*$/m.exec(page())?.[0] ?? "").split(/ *\| */);
  expect([here, bentocache, ...others.slice(0, 3)]).toEqual(
    ["valkey-edge-cache", "bentocache", "cache-manager", "@epic-web/cachified", "ocache"].map(count),
  );
});

it("docs/compare.md has three caches that share a load", async () => {
  await build();
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const block = documented("compare.md", "export let loads");
  const { loads: count } = await importBlock<{ loads: number }>(block, { "valkey://localhost:6379": server.url });
  expect(count).toBe(1);
}, 60_000);
