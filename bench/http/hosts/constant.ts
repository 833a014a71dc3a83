import type { Middleware } from "./apicache.ts";
import { bodyOf, by, CACHE_CONTROL, KILOBYTES } from "./host.ts";

/** What no cache can be faster than: a middleware that has each response ready; `undefined` for other contenders. */
export function constantMiddleware(): Middleware | undefined {
  if (by !== "constant") return undefined;
  const bodies = new Map(KILOBYTES.map((kilobytes) => [`/${kilobytes}`, content(bodyOf(kilobytes))]));
  return (request, response, next) => {
    const body = bodies.get(request.url ?? "");
    if (body === undefined) {
      next();
      return;
    }
    response.writeHead(200, {
      "Cache-Control": CACHE_CONTROL,
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": body.length,
    });
    response.end(body);
  };
}

/** Node sends a short text together with the head, in one write, and copies a long one, which it does not do with bytes. */
function content(body: string): string | Buffer {
  return body.length <= 16_384 ? body : Buffer.from(body);
}
