// @ts-check
// npm run pictures: draws the pictures of docs/inspector.md. Three processes of a shop use one cache for a minute, while a
// browser watches the inspector of the first one.
import { fork, spawn } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { installObstacle, installWithApt, isOnPath } from "./apt.mjs";
import { build } from "./build.mjs";
import { ensureNeeds } from "./needs.mjs";
import { ensurePackages } from "./packages.mjs";
import { root, Stop, script } from "./run.mjs";

const HOST = "127.0.0.1";
const FOLDER = join(root, "docs", "inspector");
/** How long the browser watches before it draws. */
const SECONDS = 75;
/** Of the pictures: they are in a page of documentation. */
const MAX_BYTES = 150_000;

/** Kinds of entries: how many there are, how long a load takes, and for how long they are fresh. */
const PRODUCT = { name: "product", ids: 600, loadMs: 40, ttl: 20, share: 60 };
const KINDS = [
  PRODUCT,
  { name: "user", ids: 300, loadMs: 12, ttl: 30, share: 25 },
  { name: "search", ids: 60, loadMs: 320, ttl: 8, share: 10 },
  { name: "report", ids: 4, loadMs: 1_400, ttl: 6, share: 5 },
];

const PICTURES = [
  { name: "overview", view: "overview", scheme: "light" },
  { name: "herd", view: "herd", scheme: "dark" },
  { name: "entry", view: "entry?key=shop%3A1%3Aproduct%3A7", scheme: "light" },
];

/** @typedef {import("valkey-edge-cache").Cache} Cache */
/** @typedef {typeof PRODUCT} Kind */

/**
 * @param {string} location
 * @returns {Promise<Cache>}
 */
async function openCache(location) {
  const { createCache, herd, nearCache } = await import("valkey-edge-cache");
  return createCache({
    location,
    keyPrefix: "shop",
    client: herd({ grace: "1m" }),
    nearCache: nearCache({ maxEntries: 200 }),
    ttl: "1m",
  });
}

/**
 * Calls as customers make them: few things are looked at often, and most rarely.
 * @param {Cache} cache
 * @param {() => boolean} isOn
 */
async function load(cache, isOn) {
  const caller = async () => {
    while (isOn()) {
      const kind = pick();
      const id = Math.floor(kind.ids * Math.random() ** 3);
      await cache.getOrSet(`${kind.name}:${id}`, () => loaded(kind, id), {
        ttl: kind.ttl,
        tags: [kind.name, "shop"],
      });
      await sleep(10 + 60 * Math.random());
    }
  };
  await Promise.all(Array.from({ length: 40 }, caller));
}

/** By their shares. @returns {Kind} */
function pick() {
  const point = Math.random() * 100;
  let sum = 0;
  return (
    KINDS.find(({ share }) => {
      sum += share;
      return point < sum;
    }) ?? PRODUCT
  );
}

/**
 * @param {Kind} kind
 * @param {number} id
 */
async function loaded({ name, loadMs }, id) {
  await sleep(loadMs * (0.6 + Math.random()));
  return {
    id,
    name: `${name} ${id}`,
    price: { amount: 189.9, currency: "CHF" },
    inStock: true,
    sizes: [38, 39, 40, 41, 42, 43, 44],
    description: "Waterproof leather, lined with wool. Can be resoled.",
    reviews: Array.from({ length: 40 }, (_, index) => ({ stars: 3 + (index % 3), text: "Warm, and they last." })),
  };
}

/** @param {string} location */
async function work(location) {
  const cache = await openCache(location);
  const { reportStatistics } = await import("valkey-edge-cache/inspector");
  reportStatistics(cache);
  process.on("disconnect", () => process.exit());
  await load(cache, () => true);
}

async function draw() {
  await ensurePackages();
  ensureNeeds();
  const obstacle = isOnPath("chromium") ? undefined : (installObstacle() ?? installWithApt("chromium"));
  if (obstacle) throw new Stop(`chromium is missing: ${obstacle}`);
  await build();
  const port = await freePort();
  const location = `valkey://${HOST}:${port}`;
  const server = spawn("valkey-server", ["--port", String(port), "--bind", HOST, "--save", ""], { stdio: "ignore" });
  const workers = [1, 2].map(() => fork(import.meta.filename, ["--worker", location]));
  let isOn = true;
  try {
    const cache = await openCache(location);
    const calls = load(cache, () => isOn);
    const { url, close } = await serveInspector(cache);
    await watch(url, () => cache.purgeTags(["search", "report"]));
    isOn = false;
    await calls;
    close();
    await cache.close();
  } finally {
    for (const worker of workers) worker.disconnect();
    server.kill();
  }
  return 0;
}

/** @param {Cache} cache */
async function serveInspector(cache) {
  const { inspector } = await import("valkey-edge-cache/inspector");
  const { serve } = await import("@hono/node-server");
  const port = await freePort();
  const server = serve({
    fetch: inspector({ cache, authorize: () => true, allowChanges: true }).fetch,
    port,
    hostname: HOST,
  });
  return { url: `http://${HOST}:${port}/`, close: () => server.close() };
}

/**
 * @param {string} url
 * @param {() => Promise<unknown>} purge makes callers wait
 */
async function watch(url, purge) {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ["--no-sandbox"],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } });
    await page.goto(url);
    await sleep(SECONDS * 1_000);
    mkdirSync(FOLDER, { recursive: true });
    for (const { name, view, scheme } of PICTURES) {
      await page.emulateMedia({ colorScheme: scheme === "dark" ? "dark" : "light" });
      await page.evaluate(`location.hash = ${JSON.stringify(`#/${view}`)}`);
      await sleep(2_500);
      for (let tries = 0; view === "herd" && tries < 20; tries += 1) {
        await purge();
        const waiters = await page.waitForSelector("[data-lane=waiters] i", { timeout: 2_500 }).catch(() => undefined);
        if (waiters) break;
      }
      const path = join(FOLDER, `${name}.png`);
      await page.screenshot({ path });
      const { size } = statSync(path);
      if (size > MAX_BYTES) throw new Stop(`${path} has ${size} bytes, more than ${MAX_BYTES}; show less in it`);
      console.log(`Wrote ${path}: ${Math.round(size / 1_000)} kB.`);
    }
  } finally {
    await browser.close();
  }
}

function chromiumPath() {
  const paths = (process.env.PATH ?? "").split(delimiter).map((path) => join(path, "chromium"));
  return paths.find((path) => statSync(path, { throwIfNoEntry: false })) ?? "chromium";
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const listener = createServer().once("error", reject);
    listener.listen(0, HOST, () => {
      const address = listener.address();
      listener.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

if (process.argv[2] === "--worker") await work(process.argv[3] ?? "");
else await script(draw);
