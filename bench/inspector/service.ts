import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { createCache, herd, memory } from "valkey-edge-cache";
import { inspector } from "valkey-edge-cache/inspector";

/**
 * A service whose cache has a fixed number of calls a second, each of which is an event. Most keys are read once, as that costs
 * the lists of hot keys the most. It says how much of a processor it has used, each second.
 */
const [, , perSecond = "10000"] = process.argv;
const EVERY_MS = 10;
const calls = (Number(perSecond) * EVERY_MS) / 1_000;

const cache = createCache({ location: "memory:", connectionFactory: memory(), client: herd() });
for (let i = 0; i < 10_000; i++) await cache.set(`user:${i}`, { name: "Ann", id: i });
const server = createServer(getRequestListener(inspector({ cache, authorize: () => true }).fetch));
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));

let next = 0;
let dueMs = performance.now();
setInterval(() => {
  // What a timer has missed is made up for, so that the rate is the same however busy the process is.
  for (; dueMs < performance.now(); dueMs += EVERY_MS) {
    for (let i = 0; i < calls; i++) void cache.getOrSet(`user:${(next++ * 7_919) % 10_000}`, () => 0);
  }
}, EVERY_MS);

let before = process.cpuUsage();
let beforeMs = performance.now();
setInterval(() => {
  const nowMs = performance.now();
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  console.log(
    JSON.stringify({ percent: (user + system) / 10 / (nowMs - beforeMs), calls: next, rss: process.memoryUsage.rss() }),
  );
  beforeMs = nowMs;
}, 1_000);
