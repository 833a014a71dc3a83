import { context, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { expect, inject, it, onTestFinished } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import { createCache, herd, statistics } from "../../src/index.workerd.js";
import { instrument } from "../../src/otel/index.js";
import { ownPrefix } from "../contract/cache/stored.js";

const { url, token } = inject("rest");

it("statistics and spans of a view's calls are recorded in workerd", async () => {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  onTestFinished(() => {
    trace.disable();
    context.disable();
  });
  const connectionFactory = rest({ token });
  const cache = createCache({ location: url, connectionFactory, client: herd(), keyPrefix: ownPrefix() });
  const stats = statistics(cache);
  const end = instrument(cache, { name: "worker" });
  await using view = cache.for({});
  expect(await view.getOrSet("a", () => 1)).toBe(1);
  expect(await view.getOrSet("a", () => 2)).toBe(1);
  end();
  const { total } = stats.snapshot();
  expect(total).toMatchObject({ calls: 2, hits: 1, misses: 1, loads: 1 });
  const names = exporter.getFinishedSpans().map(({ name }) => name);
  expect(names.filter((name) => name === "cache.getOrSet")).toHaveLength(2);
  expect(names).toContain("cache.load");
  const [, hit] = exporter.getFinishedSpans().filter(({ name }) => name === "cache.getOrSet");
  expect(hit?.attributes).toMatchObject({ "cache.name": "worker", "cache.hit": true });
});
