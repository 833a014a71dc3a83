// @ts-check
// npm run dashboard: draws docs/grafana/dashboard.png. A service under load exports its metrics, Prometheus scrapes it and
// answers the expressions of every panel of docs/grafana/valkey-edge-cache.json, and a page draws them where the dashboard
// has them. So each expression is shown to be valid, and to find data. In the middle the server is gone for some seconds.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { installObstacle, installWithApt, isOnPath } from "./apt.mjs";
import { build } from "./build.mjs";
import { ensureNeeds } from "./needs.mjs";
import { ensurePackages } from "./packages.mjs";
import { bin, root, Stop, script } from "./run.mjs";

const HOST = "127.0.0.1";
const DASHBOARD = join(root, "docs", "grafana", "valkey-edge-cache.json");
const PICTURE = join(root, "docs", "grafana", "dashboard.png");

/** In seconds: how long the service has load before the server goes, without it, and after it. */
const BEFORE = 60;
const GONE = 6;
const AFTER = 40;
/** What Grafana would put in the place of its variables. */
const VARIABLES = { $__rate_interval: "10s", $job: ".*", $cache: ".*" };

/** @typedef {{ expr: string, legendFormat: string }} Target */
/** @typedef {{ title: string, type: string, targets: Target[] }} Panel */
/** @typedef {{ title: string, panels: Panel[] }} Dashboard */
/** @typedef {{ metric: Record<string, string>, values: [number, string][] }} Found */

await script(async () => {
  await ensurePackages();
  ensureNeeds();
  for (const program of ["prometheus", "chromium"]) {
    const obstacle = isOnPath(program) ? undefined : (installObstacle() ?? installWithApt(program));
    if (obstacle) throw new Stop(`${program} is missing: ${obstacle}`);
  }
  await build();
  const folder = mkdtempSync(join(tmpdir(), "dashboard-"));
  /** @type {(() => Promise<void>)[]} */
  const ends = [async () => rmSync(folder, { recursive: true })];
  try {
    const prometheus = await record(folder, ends);
    const dashboard = /** @type {Dashboard} */ (JSON.parse(readFileSync(DASHBOARD, "utf8")));
    await draw(dashboard.title, await Promise.all(dashboard.panels.map((panel) => filled(panel, prometheus))));
  } finally {
    for (const end of ends.reverse()) await end();
  }
  console.log(`Wrote ${PICTURE}: ${Math.round(statSync(PICTURE).size / 1_000)} kB.`);
  return 0;
});

/**
 * Runs the service with its ups and downs. @returns the URL of a Prometheus that has scraped it
 * @param {string} folder
 * @param {(() => Promise<void>)[]} ends
 */
async function record(folder, ends) {
  const [valkeyPort, metricsPort, prometheusPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const server = () =>
    start("valkey-server", ["--port", String(valkeyPort), "--bind", HOST, "--save", "", "--appendonly", "no"]);
  let valkey = server();
  ends.push(() => valkey.stop());
  const location = `valkey://${HOST}:${valkeyPort}`;
  const application = join(root, "scripts", "dashboard", "application.mjs");
  ends.push(start(join(bin, "node"), [application, location, String(metricsPort)]).stop);
  const config = join(folder, "prometheus.json");
  const job = { job_name: "shop", static_configs: [{ targets: [`${HOST}:${metricsPort}`] }] };
  writeFileSync(config, JSON.stringify({ global: { scrape_interval: "1s" }, scrape_configs: [job] }));
  const url = `http://${HOST}:${prometheusPort}`;
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`];
  ends.push(start("prometheus", [...args, `--web.listen-address=${HOST}:${prometheusPort}`]).stop);
  console.log(`The service has load for ${BEFORE + GONE + AFTER} seconds.`);
  await sleep(BEFORE * 1_000);
  await valkey.stop();
  await sleep(GONE * 1_000);
  valkey = server();
  await sleep(AFTER * 1_000);
  return url;
}

/**
 * A panel with its series over the last seconds. @throws {Stop} when an expression is refused, or finds nothing
 * @param {Panel} panel
 * @param {string} prometheus
 */
async function filled(panel, prometheus) {
  const end = Math.floor(Date.now() / 1_000) - 1;
  const start = end - BEFORE - GONE - AFTER + 15;
  const times = Array.from({ length: end - start + 1 }, (_, i) => start + i);
  const series = [];
  for (const { expr, legendFormat } of panel.targets) {
    const query = Object.entries(VARIABLES).reduce((text, [name, value]) => text.replaceAll(name, value), expr);
    const parameters = new URLSearchParams({ query, start: String(start), end: String(end), step: "1" });
    const response = await fetch(`${prometheus}/api/v1/query_range?${parameters}`);
    const { data, error } = /** @type {{ data?: { result: Found[] }, error?: string }} */ (await response.json());
    if (!data) throw new Stop(`${panel.title}: Prometheus refuses ${query}: ${error}`);
    if (data.result.length === 0) throw new Stop(`${panel.title}: nothing is found by ${query}`);
    for (const { metric, values } of data.result) {
      const name = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? "").trim();
      const at = new Map(values.map(([time, value]) => [time, Number(value)]));
      const shown = times.map((time) => at.get(time) ?? null).map((value) => (Number.isNaN(value) ? null : value));
      series.push({ name, values: shown });
    }
  }
  if (series.every(({ values }) => values.every((value) => value === null)))
    throw new Stop(`${panel.title}: there are no values`);
  return { ...panel, times, series };
}

/**
 * @param {string} title
 * @param {unknown[]} panels
 */
async function draw(title, panels) {
  const executablePath = (process.env.PATH ?? "").split(delimiter).map((path) => join(path, "chromium"));
  const browser = await chromium.launch({
    executablePath: executablePath.find((path) => statSync(path, { throwIfNoEntry: false })) ?? "chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1_400, height: 900 } });
    const uplot = join(root, "node_modules", "uplot", "dist");
    await page.setContent(readFileSync(join(root, "scripts", "dashboard", "page.html"), "utf8"));
    await page.addStyleTag({ path: join(uplot, "uPlot.min.css") });
    await page.addScriptTag({ path: join(uplot, "uPlot.iife.min.js") });
    await page.evaluate(`draw(${JSON.stringify(title)}, ${JSON.stringify(panels)})`);
    await page.screenshot({ path: PICTURE, fullPage: true });
  } finally {
    await browser.close();
  }
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function start(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  const stop = async () => {
    child.kill();
    await ended;
  };
  return { stop };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const listener = createServer().once("error", reject);
    listener.listen(0, HOST, () => {
      const address = listener.address();
      listener.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
