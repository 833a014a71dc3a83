import { readFileSync } from "node:fs";
import { join } from "node:path";
import { metrics } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCache } from "../../src/index.js";
import { instrument } from "../../src/otel/index.js";
import { freePort, HOST } from "../support/ports.js";
import { root } from "../support/project.js";
import { type Sample, samplesOf } from "./prometheus-text.js";

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly datasource: { readonly uid: string };
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const dashboard = JSON.parse(readFileSync(join(root, "docs/grafana/valkey-edge-cache.json"), "utf8")) as Dashboard;
const targets = dashboard.panels.flatMap(({ title, targets: all }) => all.map((target) => ({ title, ...target })));

/** What Prometheus adds to each series when it scrapes. */
const ADDED = ["job", "instance"];

describe("the dashboard for Grafana", () => {
  let samples: Sample[];
  const ends: (() => unknown)[] = [];

  /** The samples of a cache in which everything has happened once. */
  beforeAll(async () => {
    const port = await freePort();
    const exporter = new PrometheusExporter({ host: HOST, port, preventServerStart: true });
    await exporter.startServer();
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
    const cache = createCache({ location: "memory:", keyPrefix: "pages" });
    const { events } = cache;
    events.near = { entries: 1, size: 1_000 };
    const end = instrument(cache, { spans: "none" });
    ends.push(
      end,
      () => cache.close(),
      () => exporter.shutdown(),
      () => metrics.disable(),
    );
    await cache.set("a", 1);
    await cache.getMany(["a", "b"]);
    const [method, key] = ["getOrSet", "a"];
    events.emit("call", () => ({
      ...{ method, key, count: 1, hits: 1, misses: 0, stale: 0, bytes: 1, bytesWritten: 0 },
      ...{ savedMs: 5, startedMs: 0, durationMs: 1, error: undefined },
    }));
    events.emit("load", () => ({ method, key, count: 1, durationMs: 1, failed: false, background: true }));
    events.emit("wait", () => ({ method, key, durationMs: 1, answered: true }));
    events.emit("claim", () => ({ method, key, won: true }));
    events.emit("fenced", () => ({ method, key }));
    events.emit("early", () => ({ method, key }));
    events.emit("error", () => ({ method, key, error: undefined, kind: "loader" }));
    for (const change of ["evict", "invalidate"] as const) events.emit(change, () => ({ method, key, count: 1 }));
    events.emit("connection", () => ({ state: "opened", durationMs: 1, error: undefined }));
    events.emit("roundTrip", () => ({ commands: ["script claim"], durationMs: 1, error: undefined }));
    events.emit("http", () => ({
      ...{ method: "GET", url: "/", outcome: "hit", status: 200, forwardedStatus: undefined, ttlMs: 1, stored: false },
      ...{ collapsed: undefined, detail: undefined, durationMs: 1, error: undefined },
    }));
    samples = samplesOf(await (await fetch(`http://${HOST}:${port}/metrics`)).text());
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  /** The labels of all metrics that a selector finds. */
  function labelsOf(name: string, matchers: string): Set<string> {
    const pattern = /__name__=~"([^"]*)"/.exec(matchers)?.[1] ?? name;
    const found = samples.filter((sample) => new RegExp(`^(?:${pattern})$`).test(sample.name));
    return new Set(found.length === 0 ? [] : [...found.flatMap(({ labels }) => Object.keys(labels)), ...ADDED]);
  }

  it.each(targets)("asks for metrics and labels that the exporter has: $title, $expr", ({ expr, legendFormat }) => {
    const selectors = [...expr.matchAll(/(\w*)\{([^}]*)\}/g)];
    expect(selectors.length).toBeGreaterThan(0);
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = ""]) => labels.split(", "));
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    for (const [, name = "", matchers = ""] of selectors) {
      const labels = labelsOf(name, matchers);
      expect(labels.size, `${name}{${matchers}}`).toBeGreaterThan(0);
      const matched = [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label);
      const asked = matched.filter((label) => label !== "__name__");
      expect([...labels]).toEqual(expect.arrayContaining([...asked, ...grouped]));
    }
    expect(grouped).toEqual(expect.arrayContaining(shown));
  });

  it("has variables for the data source, the job and the cache, whose queries name metrics and labels of the exporter", () => {
    const { list } = dashboard.templating;
    expect(list.map(({ name }) => name)).toEqual(["datasource", "job", "cache"]);
    for (const { definition } of list.slice(1)) {
      const [, name = "", label = ""] = /^label_values\((\w+)(?:\{.*\})?, (\w+)\)$/.exec(definition ?? "") ?? [];
      expect([...labelsOf(name, "")]).toContain(label);
    }
    for (const { datasource } of dashboard.panels) expect(datasource.uid).toBe("${" + "datasource}");
  });

  it("has panels with ids of their own that don't overlap in its 24 columns", () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
