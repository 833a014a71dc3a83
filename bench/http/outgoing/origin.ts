import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The origin of outgoing calls, in a process of its own. `/fresh/KILOBYTES/…` and `/short/KILOBYTES/…` are answered at once,
 * `/slow/MS/…` after that time, and `/calls` with the number of calls of the others since the last look.
 */
const HOST = "127.0.0.1";
const bodies = new Map<number, Buffer>();
let calls = 0;

const server = createServer(async (request, response) => {
  const [, kind, size = "1"] = (request.url ?? "").split("/");
  if (kind === "calls") {
    response.end(String(calls));
    calls = 0;
    return;
  }
  calls++;
  if (kind === "slow") await sleep(Number(size));
  const body = bodyOf(kind === "slow" ? 1 : Number(size));
  response.writeHead(200, {
    "Cache-Control": `public, max-age=${kind === "short" ? 10 : 3_600}`,
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": body.length,
  });
  response.end(body);
});
// A call on a connection that is just being closed would fail, and none is to be measured.
server.keepAliveTimeout = 60_000;
server.listen(0, HOST, () => {
  const address = server.address();
  if (typeof address === "object" && address) console.log(address.port);
});

function bodyOf(kilobytes: number): Buffer {
  const body = bodies.get(kilobytes) ?? Buffer.alloc(kilobytes * 1_024, "x");
  bodies.set(kilobytes, body);
  return body;
}
