import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endWith, type HttpContender, startProgram } from "./program.ts";

const HOST = "127.0.0.1";

/** The handler by itself; with a store, behind `httpCache` or behind a plain GET. */
export function startHono(
  name: string,
  store?: { by: "httpCache" | "nearCache" | "get"; url: string; checkout?: string | undefined },
): Promise<HttpContender> {
  const { by, url, checkout } = store ?? {};
  const args = [by, url, checkout].filter((arg) => arg !== undefined);
  return startProgram({ name, file: "server.ts", args });
}

/** nginx with `proxy_cache` in front of the handler, with one worker; `undefined` where it is not installed. */
export async function startNginx(origin: number): Promise<HttpContender | undefined> {
  if (!isInstalled("nginx", "-v")) return undefined;
  const folder = temporaryFolder("nginx-");
  const port = await freePort();
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000000;
  proxy_cache_path ${folder}/cache keys_zone=bench:10m;
  server { listen ${HOST}:${port}; location / { proxy_pass http://${HOST}:${origin}; proxy_cache bench; } }
}
`,
  );
  const child = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf")], { stdio: "ignore" });
  return ready({ name: "nginx proxy_cache", port, end: endWith(child, folder) });
}

/** Varnish, in memory, in front of the handler; `undefined` where it is not installed. */
export async function startVarnish(origin: number): Promise<HttpContender | undefined> {
  if (!isInstalled("varnishd", "-V")) return undefined;
  const port = await freePort();
  const folder = temporaryFolder("varnish-");
  const args = [
    "-F",
    "-j",
    "none",
    "-n",
    folder,
    "-a",
    `${HOST}:${port}`,
    "-b",
    `${HOST}:${origin}`,
    "-s",
    "malloc,64m",
  ];
  return ready({ name: "Varnish", port, end: endWith(spawn("varnishd", args, { stdio: "ignore" }), folder) });
}

function isInstalled(program: string, flag: string): boolean {
  const { error, status } = spawnSync(program, [flag], { stdio: "ignore" });
  if (!error && status === 0) return true;
  console.log(`${program} is not installed, and left out.`);
  return false;
}

/** That a worker which gives up root's rights can get into, too. */
function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(folder, 0o755);
  return folder;
}

async function ready(contender: HttpContender): Promise<HttpContender> {
  for (let tries = 0; tries < 200; tries++) {
    const response = await fetch(`http://${HOST}:${contender.port}/1`).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.ok) return contender;
    await sleep(25);
  }
  contender.end();
  throw new Error(`${contender.name} does not answer; start it to see why`);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}
