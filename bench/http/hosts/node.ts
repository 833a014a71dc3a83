import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { apicacheMiddleware } from "./apicache.ts";
import { constantMiddleware } from "./constant.ts";
import { bodyOf, CACHE_CONTROL, HOST, KILOBYTES, libraryCache, print } from "./host.ts";

/** A `node:http` server that answers with constants, by itself or behind a cache. */
const bodies = new Map(KILOBYTES.map((kilobytes) => [`/${kilobytes}`, bodyOf(kilobytes)]));
const cache = libraryCache();
const middleware = cache
  ? (await import("valkey-edge-cache/node")).httpCacheNode({ cache })
  : (constantMiddleware() ?? apicacheMiddleware());
const server = createServer((request, response) => {
  if (middleware) middleware(request, response, () => handle(request, response));
  else handle(request, response);
});
server.listen(0, HOST, () => {
  const address = server.address();
  if (typeof address === "object" && address) print(address.port);
});

function handle(request: IncomingMessage, response: ServerResponse): void {
  const body = bodies.get(request.url ?? "");
  response.statusCode = body === undefined ? 404 : 200;
  response.setHeader("Cache-Control", CACHE_CONTROL);
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.setHeader("Content-Length", body?.length ?? 0);
  response.end(body);
}
