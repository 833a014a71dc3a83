import { createServer } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { isFromThisMachine, listen, readPort } from "../../examples/hono-app/listen.js";
import { HOST, listenAnywhere } from "../support/ports.js";

describe("PORT", () => {
  it.each([
    [undefined, undefined],
    ["", undefined],
    ["0", 0],
    ["8080", 8080],
    ["65535", 65_535],
  ])("%j is %j", (text, port) => {
    expect(readPort(text)).toBe(port);
  });

  it.each(["65536", "-1", "http", "1.5", " 1"])("%j is refused", (text) => {
    expect(() => readPort(text)).toThrow(`PORT: ${JSON.stringify(text)} is not a port; give a number from 0 to 65535`);
  });
});

it("a given port that is taken is an error, which says what to do", async () => {
  const other = createServer();
  const port = await listenAnywhere(other);
  try {
    await expect(listen(createServer(), port)).rejects.toThrow(/EADDRINUSE.*; set PORT to another port, or to 0/);
  } finally {
    other.close();
  }
});

describe("a request from this machine", () => {
  const app = new Hono().get("/", (c) => c.text(String(isFromThisMachine(c))));
  /** Sent over a socket, as fetch sets some of these fields itself. */
  const isLocal = async (headers: Record<string, string>) => {
    const { request } = await import("node:http");
    const server = createAdaptorServer({ fetch: app.fetch });
    const port = await listenAnywhere(server);
    try {
      return await new Promise<string>((resolve, reject) => {
        request({ host: HOST, port, headers }, async (response) => resolve((await response.toArray()).join("")))
          .on("error", reject)
          .end();
      });
    } finally {
      server.close();
    }
  };

  it.each([
    ["true", { host: "localhost:3000" }],
    ["true", { host: "127.0.0.1" }],
    ["true", { host: "[::1]:3000" }],
    ["false", { host: "rebound.example:3000" }],
    ["false", { host: "localhost.evil.example" }],
    ["false", { host: "localhost", "x-forwarded-for": "192.0.2.1" }],
    ["false", { host: "localhost", forwarded: "for=192.0.2.1" }],
    ["false", { host: "localhost", via: "1.1 proxy" }],
  ])("is %s of one with %j", async (expected, headers) => {
    expect(await isLocal(headers)).toBe(expected);
  });
});
