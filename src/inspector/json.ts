import type { Context } from "hono";

type Status = 200 | 400 | 403 | 404 | 405 | 413 | 500 | 503;

/** JSON in which no browser would find markup, whatever it took it for. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function json(c: Context, value: unknown, status: Status = 200): Response {
  c.header("content-type", "application/json; charset=utf-8");
  return c.body(toJson(value), status);
}

const encoder = new TextEncoder();

/** One line of a response of lines. */
export function toLine(value: unknown): Uint8Array {
  return encoder.encode(`${toJson(value)}\n`);
}

/** A response of lines of JSON, which no proxy may hold back. */
export function lines(c: Context, body: ReadableStream<Uint8Array>): Response {
  c.header("content-type", "application/x-ndjson; charset=utf-8");
  c.header("x-accel-buffering", "no");
  return c.body(body);
}
