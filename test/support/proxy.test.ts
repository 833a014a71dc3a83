import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HOST, listenAnywhere } from "./ports.js";
import { startProxy, type TcpProxy } from "./proxy.js";
import { until } from "./wait.js";

const echo = createServer((socket) => void socket.pipe(socket).on("error", () => {}));
let proxy: TcpProxy;

beforeEach(async () => {
  const port = echo.listening ? (echo.address() as { port: number }).port : await listenAnywhere(echo);
  proxy = await startProxy({ port });
  return () => proxy.close();
});

it("the proxy forwards bytes and ends in both directions", async () => {
  const client = await dial();
  await expect(say(client, "hello")).resolves.toBe("hello");
  client.end();
  await once(client, "close");
  await until(() => proxy.connections === 0, { what: "the connection to be forgotten" });
});

it("the proxy counts connections, and all bytes before an answer as one round trip", async () => {
  const [one, other] = [await dial(), await dial()];
  await say(one, "a");
  await say(one, "b");
  await say(other, "c");
  expect(proxy).toMatchObject({ connections: 2, accepted: 2, roundTrips: 3 });
});

it("a paused proxy drops bytes and leaves connections open", async () => {
  const client = await dial();
  proxy.pause();
  client.write("lost");
  await until(() => proxy.roundTrips === 1, { what: "the bytes to be swallowed" });
  proxy.resume();
  await expect(say(client, "kept")).resolves.toBe("kept");
});

it("the proxy strands open connections and not later ones", async () => {
  const stranded = await dial();
  await say(stranded, "hello");
  let heard = 0;
  stranded.on("data", () => heard++);
  proxy.strand();
  stranded.write("lost");
  await until(() => proxy.roundTrips === 2, { what: "the bytes to be swallowed" });
  proxy.resume();
  await expect(say(await dial(), "new")).resolves.toBe("new");
  expect(heard).toBe(0);
});

it("the proxy resets open connections", async () => {
  const client = await dial();
  await say(client, "hello");
  const lost = once(client, "error");
  proxy.reset();
  await expect(lost).resolves.toMatchObject([{ code: "ECONNRESET" }]);
});

it("the proxy refuses connections until it accepts them again on the same port", async () => {
  const early = await dial();
  proxy.refuse();
  await expect(dial()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await expect(say(early, "still here")).resolves.toBe("still here");
  await proxy.accept();
  await expect(say(await dial(), "again")).resolves.toBe("again");
});

it("the proxy delays traffic and keeps its order", async () => {
  const client = await dial();
  proxy.delay(30);
  const startMs = performance.now();
  await expect(say(client, "slow")).resolves.toBe("slow");
  expect(performance.now() - startMs).toBeGreaterThan(55);
});

it("a throttled proxy forwards one byte at a time", async () => {
  const client = await dial();
  proxy.throttle();
  const sizes: number[] = [];
  client.on("data", (chunk) => sizes.push(chunk.length));
  await expect(say(client, "drops")).resolves.toBe("drops");
  expect(sizes.length).toBeGreaterThan(1);
});

it("the proxy resets clients when its server is gone", async () => {
  await using lone = await startProxy({ port: 1 });
  const client = connect(lone.port, HOST);
  await expect(once(client, "error")).resolves.toMatchObject([{ code: "ECONNRESET" }]);
});

const dialled: Socket[] = [];

afterEach(() => {
  for (const socket of dialled.splice(0)) socket.destroy();
});

async function dial(): Promise<Socket> {
  const socket = connect(proxy.port, HOST);
  dialled.push(socket);
  await once(socket, "connect");
  await until(() => proxy.connections > 0, { what: "the proxy to take the connection" });
  return socket;
}

/** Sends text and gives the same number of characters of the answer. */
async function say(socket: Socket, text: string): Promise<string> {
  let answer = "";
  const listen = (chunk: Buffer) => {
    answer += chunk;
  };
  socket.on("data", listen);
  socket.write(text);
  await until(() => answer.length >= text.length, { what: `an answer to ${text}`, everyMs: 1 });
  socket.off("data", listen);
  return answer;
}
