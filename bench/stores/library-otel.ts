import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { createCache } from "valkey-edge-cache";
import { instrument } from "valkey-edge-cache/otel";
import { cacheStore } from "./cache-store.ts";
import { PATIENCE_MS, type Store, TTL } from "./store.ts";

/** As library.ts, with metrics of OpenTelemetry, collected every ten seconds. */
export async function open(url: string): Promise<Store> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 10_000 });
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  const cache = createCache({ location: url, ttl: TTL, commandTimeout: PATIENCE_MS / 1_000 });
  instrument(cache, { spans: "none" });
  return {
    ...cacheStore(cache),
    async close() {
      await cache.close();
      await provider.shutdown();
    },
  };
}
