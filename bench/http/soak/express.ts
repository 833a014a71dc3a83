import type { Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import express, { type Response } from "express";
import { apicacheMiddleware } from "../hosts/apicache.ts";
import { bodyOf, CACHE_CONTROL, HOST, KILOBYTES, libraryCache, print } from "../hosts/host.ts";
import { measureMemory } from "./memory.ts";

/**
 * An Express application, by itself or behind a cache, for clients of all kinds. It listens on a port, and for slow clients
 * on the Unix socket of its last argument.
 */
const [, , , , socketPath] = process.argv;
const app = express();
// Before the cache, which is not to see it.
app.get("/measured", (_request, response) => {
  measureMemory().then((memory) => response.json(memory));
});
const cache = libraryCache();
const peer = apicacheMiddleware();
if (cache) {
  const { httpCacheNode } = await import("valkey-edge-cache/node");
  app.use(httpCacheNode({ cache }));
}
if (peer) app.use(peer);
for (const kilobytes of KILOBYTES) {
  const body = bodyOf(kilobytes);
  app.get(`/${kilobytes}`, (_request, response) => send(response, body));
}
const body = bodyOf(1);
app.get("/hit/:id", (_request, response) => send(response, body));
app.get("/miss/:id", (_request, response) => {
  response.set("Cache-Control", "public, max-age=10").type("text/plain").send(body);
});
app.get("/aborted/:id", (_request, response) => slowly(response));
const server = app.listen(0, HOST, () => {
  if (socketPath === undefined) listening(server);
  else app.listen(socketPath, () => listening(server));
});

function send(response: Response, text: string): void {
  response.set("Cache-Control", CACHE_CONTROL).type("text/plain").send(text);
}

/** A body in parts: its client leaves after the first one at the latest. */
async function slowly(response: Response): Promise<void> {
  response.set("Cache-Control", CACHE_CONTROL).type("text/plain");
  for (let part = 0; part < 4 && !response.destroyed; part++) {
    response.write(body);
    await sleep(5);
  }
  response.end();
}

function listening(listener: Server): void {
  const address = listener.address();
  if (typeof address === "object" && address) print(address.port);
}
