import { metrics } from "@opentelemetry/api";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Cache, createCache, herd } from "../../src/index.js";
import { type Sample, samplesOf } from "../observability/prometheus-text.js";
import { deferred } from "../support/deferred.js";
import { documented, importBlock } from "../support/docs.js";
import { freePort, HOST } from "../support/ports.js";
import { build } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

const PAGE = "recipes/metrics-and-alerts.md";
const rules = documented(PAGE, "groups:").code;

/** A metric in an expression, with what has to match its labels. */
interface Selector {
  readonly name: string;
  readonly matchers: string;
}

const selectors: Selector[] = [...rules.matchAll(/\b(cache_\w+)(?:\{([^}]*)\})?(?=\[|\)|,)/g)]
  .map(([, name = "", matchers = ""]) => ({ name, matchers }))
  // Labels by which an expression groups look the same.
  .filter(({ name }) => name !== "cache_name");

function matches({ labels }: Sample, matchers: string): boolean {
  return [...matchers.matchAll(/(\w+)(=~|!~|=)"([^"]*)"/g)].every(([, label = "", operator, text = ""]) => {
    const value = labels[label] ?? "";
    if (operator === "=") return value === text;
    return new RegExp(`^(?:${text})$`).test(value) === (operator === "=~");
  });
}

beforeAll(() => build(), 120_000);

describe("docs/recipes/metrics-and-alerts.md", () => {
  it("has alert rules whose series are in what its exporter serves while a server fails", async () => {
    await using server = await startValkey();
    const port = await freePort();
    const { cache, end } = await importBlock<{ cache: Cache; end: () => void }>(
      documented(PAGE, "PrometheusExporter"),
      {
        "valkey://localhost:6379": server.url,
        "9464": String(port),
        'grace: "10m"': 'grace: "10m", waitTimeout: "50ms"',
      },
    );
    onTestFinished(async () => {
      end();
      await cache.close();
      metrics.disable();
    });
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const scrape = async () => samplesOf(await (await fetch(`http://${HOST}:${port}/metrics`)).text());
    // A hit, a miss, and a loader that fails.
    await cache.getOrSet("a", () => 1, { ttl: "1m" });
    await cache.getOrSet("a", () => 2);
    const failing = () => Promise.reject(new Error("the database is gone"));
    await expect(cache.getOrSet("b", failing)).rejects.toThrow("the database is gone");
    // A wait that takes too long, for another process.
    await using other = createCache({ location: server.url, keyPrefix: "shop", client: herd() });
    const loading = deferred<number>();
    const load = vi.fn(() => loading.promise);
    const slow = other.getOrSet("slow", load);
    await until(() => load.mock.calls.length === 1, { what: "the other process' load" });
    expect(await cache.getOrSet("slow", () => 3)).toBe(3);
    loading.resolve(1);
    await slow;
    // A stale value.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    await cache.getOrSet("a", () => 1);
    vi.useRealTimers();
    // No server.
    await server.kill("SIGKILL");
    for (let call = 0; call < 5; call++) await cache.get("a");
    await until(() => warn.mock.calls.length > 0, { what: "an error" });

    const samples = await scrape();
    expect(selectors.length).toBeGreaterThan(8);
    for (const { name, matchers } of selectors) {
      const found = samples.filter((sample) => sample.name === name && matches(sample, matchers));
      expect(found, `${name}{${matchers}}`).not.toEqual([]);
      for (const { labels } of found) expect(labels).toMatchObject({ cache_name: "shop" });
    }
    expect(samples.find(({ name }) => name === "cache_breaker_open")).toMatchObject({ value: 1 });
    const kinds = samples.filter(({ name }) => name === "cache_errors_total").map(({ labels }) => labels.error_type);
    expect(kinds).toEqual(expect.arrayContaining(["connection", "loader"]));
  });
});
