import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import { toGot } from "./app.js";

const worker = fileURLToPath(new URL("worker.ts", import.meta.url));

let processes: ChildProcess[];
let urls: string[];

beforeEach(async () => {
  const prefix = randomUUID();
  processes = [1, 2].map(() =>
    spawn(process.execPath, [worker, inject("valkeyUrl"), prefix], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  const ports = await Promise.all(
    processes.map(async ({ stdout }) => stdout && String((await once(stdout, "data"))[0]).trim()),
  );
  urls = ports.map((port) => `http://127.0.0.1:${port}`);
});

afterEach(() => {
  for (const one of processes) one.kill("SIGKILL");
});

async function askAll(path: string, times: number) {
  const started = performance.now();
  const all = Array.from({ length: times }, (_none, i) => fetch(`${urls[i % 2]}${path}`).then(toGot));
  const answers = await Promise.all(all);
  return { answers, ms: performance.now() - started };
}

async function runs(): Promise<number> {
  const counts = await Promise.all(urls.map(async (url) => Number(await (await fetch(`${url}/runs`)).text())));
  return counts.reduce((sum, count) => sum + count, 0);
}

it("runs the handler once for 100 requests at once for a cold URL, to two processes", async () => {
  const { answers } = await askAll("/cold", 100);
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.length}`))).toEqual(new Set(["200 1000"]));
  expect(await runs()).toBe(1);
  expect(answers.filter(({ how }) => how.includes("stored"))).toHaveLength(1);
});

it("runs the handler 100 times at once for what can't be stored, not one after another", async () => {
  const { ms } = await askAll("/uncacheable", 100);
  expect(await runs()).toBe(100);
  // The first one's 300 ms, those of all others, and what 100 requests cost.
  expect(ms).toBeLessThan(5_000);
});
