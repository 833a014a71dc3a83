import { type Attributes, context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

/** One series of a metric: a number, or the count and the sum of a histogram. */
export interface Series {
  readonly attributes: Attributes;
  readonly value: number;
  readonly sum?: number;
}

export interface Sdk extends AsyncDisposable {
  /** Spans that have ended, in the order of their ends. */
  spans(): ReadableSpan[];
  /** The series of a metric at this moment, without the attribute cache.name. */
  metric(name: string): Promise<Series[]>;
  /** The names of all metrics that were collected. */
  names(): Promise<string[]>;
  /** All that was exported, as text. */
  exported(): Promise<string>;
}

/** Registers the real SDK with exporters in memory. */
export function startSdk({ processors = [] }: { readonly processors?: readonly SpanProcessor[] } = {}): Sdk {
  const spans = new InMemorySpanExporter();
  const tracerProvider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: spans }), ...processors],
  });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  // Never by itself: tests collect when they look.
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  trace.setGlobalTracerProvider(tracerProvider);
  metrics.setGlobalMeterProvider(meterProvider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const collect = async () => {
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  };
  return {
    spans: () => spans.getFinishedSpans(),
    async metric(name) {
      const found = (await collect()).find(({ descriptor }) => descriptor.name === name);
      return (found?.dataPoints ?? []).map(({ attributes: { "cache.name": _, ...attributes }, value }) =>
        typeof value === "number"
          ? { attributes, value }
          : { attributes, value: value.count, sum: (value as HistogramMetricData["dataPoints"][0]["value"]).sum ?? 0 },
      );
    },
    names: async () => (await collect()).map(({ descriptor }) => descriptor.name),
    async exported() {
      const shown = spans.getFinishedSpans().map(({ name, attributes, events, links, status, resource }) => {
        return { name, attributes, events, links, status, resource: resource.attributes };
      });
      return JSON.stringify([shown, await collect()]);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]);
      trace.disable();
      metrics.disable();
      context.disable();
    },
  };
}
