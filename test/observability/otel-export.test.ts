import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, expect, inject, it } from "vitest";
import { createCache, herd } from "../../src/index.js";
import { instrument } from "../../src/otel/index.js";
import { freePort, HOST } from "../support/ports.js";
import { samplesOf } from "./prometheus-text.js";

const valkeyUrl = inject("valkeyUrl");
const resource = resourceFromAttributes({ "service.name": "shop" });
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  trace.disable();
  metrics.disable();
  context.disable();
});

function newCache(options: Parameters<typeof instrument>[1] = {}) {
  const cache = createCache({
    location: valkeyUrl,
    keyPrefix: `otel-export-${process.pid}-${ends.length}`,
    client: herd(),
  });
  ends.push(() => cache.close(), instrument(cache, { name: "pages", ...options }));
  return cache;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** As much of OTLP's JSON as is looked at here. */
interface Otlp {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly OtlpSpan[] }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly {
      readonly scope: { readonly name: string };
      readonly metrics: readonly { readonly name: string; readonly unit: string }[];
    }[];
  }[];
}

interface OtlpSpan {
  readonly name: string;
  readonly kind: number;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly Attribute[];
}

/** Receives what OTLP exporters send over HTTP, as JSON. */
async function startReceiver() {
  const received = new Map<string, Otlp[]>();
  const server = createServer(async (request, response) => {
    const all = received.get(request.url ?? "") ?? [];
    received.set(request.url ?? "", all);
    all.push(JSON.parse(await bodyOf(request)) as Otlp);
    response.setHeader("Content-Type", "application/json").end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  ends.push(() => server.close());
  const url = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  return { url, at: (path: string) => received.get(path) ?? [] };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}

it("an OTLP receiver gets spans and metrics of a cache", async () => {
  const receiver = await startReceiver();
  const tracerProvider = new TracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${receiver.url}/v1/traces` }) })],
  });
  const meterProvider = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: `${receiver.url}/v1/metrics` }) }),
    ],
  });
  trace.setGlobalTracerProvider(tracerProvider);
  metrics.setGlobalMeterProvider(meterProvider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  ends.push(
    () => tracerProvider.shutdown(),
    () => meterProvider.shutdown(),
  );
  const cache = newCache();
  await cache.getOrSet("a", () => 1);
  await tracerProvider.forceFlush();
  await meterProvider.forceFlush();

  const scopes = receiver
    .at("/v1/traces")
    .flatMap(({ resourceSpans = [] }) => resourceSpans.flatMap((one) => one.scopeSpans));
  expect(scopes.map(({ scope }) => scope.name)).toEqual(["valkey-edge-cache"]);
  const spans = scopes.flatMap((scope) => scope.spans);
  const call = spans.find(({ name }) => name === "cache.getOrSet");
  expect(call?.attributes).toContainEqual({ key: "cache.hit", value: { boolValue: false } });
  expect(call?.attributes).toContainEqual({ key: "sentry.op", value: { stringValue: "cache.get" } });
  // OTLP's number of CLIENT.
  const client = spans.filter(({ kind }) => kind === 3);
  expect(client.length).toBeGreaterThanOrEqual(2);
  expect(client.map(({ parentSpanId }) => parentSpanId)).toEqual(client.map(() => call?.spanId));

  const sent = receiver
    .at("/v1/metrics")
    .flatMap(({ resourceMetrics = [] }) => resourceMetrics.flatMap((one) => one.scopeMetrics));
  expect(sent.flatMap((scope) => scope.metrics.map(({ name, unit }) => [name, unit]))).toEqual(
    expect.arrayContaining([
      ["cache.lookups", "{key}"],
      ["cache.load.duration", "s"],
      ["db.client.operation.duration", "s"],
    ]),
  );
});

it("Prometheus can scrape the metrics of a cache", async () => {
  const port = await freePort();
  const exporter = new PrometheusExporter({ host: HOST, port, preventServerStart: true });
  await exporter.startServer();
  metrics.setGlobalMeterProvider(new MeterProvider({ resource, readers: [exporter] }));
  ends.push(() => exporter.shutdown());
  const cache = newCache({ spans: "none" });
  await cache.set("a", 1);
  await cache.get("a");
  const samples = samplesOf(await (await fetch(`http://${HOST}:${port}/metrics`)).text());
  const find = (name: string, labels: object) =>
    samples.find(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
  expect(find("cache_lookups_total", { cache_name: "pages", cache_method: "get", cache_result: "hit" })?.value).toBe(1);
  expect(find("cache_call_duration_bucket", { cache_method: "get", le: "+Inf" })?.value).toBe(1);
  expect(find("db_client_operation_duration_count", { db_operation_name: "GET" })?.value).toBe(1);
  expect(find("cache_breaker_open", { cache_name: "pages" })?.value).toBe(0);
});

it("calls don't wait for an exporter that hangs, and no span is kept beyond the SDK's queue", async () => {
  let exports = 0;
  const hanging: SpanExporter = { export: () => void exports++, shutdown: async () => {}, forceFlush: async () => {} };
  trace.setGlobalTracerProvider(
    new TracerProvider({
      spanProcessors: [
        new BatchSpanProcessor({ exporter: hanging, maxExportBatchSize: 5, maxQueueSize: 10, scheduledDelayMillis: 1 }),
      ],
    }),
  );
  const cache = newCache({ metrics: false });
  for (let i = 0; i < 50; i++) await cache.get("a");
  expect(exports).toBeLessThanOrEqual(1);
});
