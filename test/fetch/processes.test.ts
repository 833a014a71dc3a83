import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, inject, it, onTestFinished } from "vitest";
import { startSite } from "./site.js";

const worker = fileURLToPath(new URL("worker.ts", import.meta.url));

it("8 processes with 50 calls each at once for a cold URL make one call to the origin", async () => {
  const site = await startSite((_request, response) => {
    setTimeout(() => response.writeHead(200, { "cache-control": "max-age=60" }).end("page"), 300);
  });
  const prefix = randomUUID();
  const processes = Array.from({ length: 8 }, () =>
    spawn(process.execPath, [worker, inject("valkeyUrl"), prefix], { stdio: ["pipe", "pipe", "inherit"] }),
  );
  onTestFinished(() => {
    for (const one of processes) one.kill("SIGKILL");
  });
  const printed = async ({ stdout }: ChildProcess) => stdout && String((await once(stdout, "data"))[0]).trim();
  await Promise.all(processes.map(printed));
  const texts = Promise.all(processes.map(printed));
  for (const { stdin } of processes) stdin.write(`${site.url}/\n`);
  expect(new Set(await texts)).toEqual(new Set(['["page"]']));
  expect(site.asked).toEqual(["GET /"]);
}, 60_000);
