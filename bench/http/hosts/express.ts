import express from "express";
import { apicacheMiddleware } from "./apicache.ts";
import { constantMiddleware } from "./constant.ts";
import { bodyOf, by, CACHE_CONTROL, HOST, KILOBYTES, libraryCache, load, print } from "./host.ts";

/** An Express application that answers with constants, by itself or behind a cache. */
const app = express();
const cache = libraryCache();
const other = by === "route-cache" ? routeCache() : (constantMiddleware() ?? apicacheMiddleware());
if (cache) {
  const { httpCacheNode } = await import("valkey-edge-cache/node");
  app.use(httpCacheNode({ cache }));
}
if (other) app.use(other);
for (const kilobytes of KILOBYTES) {
  const body = bodyOf(kilobytes);
  app.get(`/${kilobytes}`, (_request, response) => {
    response.set("Cache-Control", CACHE_CONTROL).type("text/plain").send(body);
  });
}
const server = app.listen(0, HOST, () => {
  const address = server.address();
  if (typeof address === "object" && address) print(address.port);
});

function routeCache(): express.RequestHandler {
  return load<{ cacheSeconds(seconds: number): express.RequestHandler }>("route-cache").cacheSeconds(3_600);
}
