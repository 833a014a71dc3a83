import type { Context } from "hono";
import type { Fields } from "../http/fields.js";

/**
 * Takes off what middleware outside has put into the response so far, such as a request id or CORS: it is this client's, and
 * must not be stored for others. `restoreOuter` puts it back.
 */
export function takeOuter(c: Context): Fields {
  const outer: [string, string][] = [...c.res.headers];
  // Gone as if never touched: Hono would merge it with the handler's response, and so replace that by a copy.
  c.res = undefined;
  c.finalized = false;
  for (const [name] of outer) c.header(name, undefined);
  return outer;
}

/** Puts back what was taken off, as Hono merges headers: what the response has of its own stays, Vary and Set-Cookie add up. */
export function restoreOuter(headers: Headers, outer: Fields): void {
  for (const [name, value] of outer) {
    if (name === "set-cookie" || name === "vary") headers.append(name, value);
    else if (!headers.has(name)) headers.set(name, value);
  }
}
