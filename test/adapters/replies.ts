import { inject } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import type { Opened, RawServer } from "./host.js";

export const FRESH = { "cache-control": "public, max-age=60" };
export const STALE = { "cache-control": "max-age=0, stale-while-revalidate=60" };

const texts = new WeakMap<Response, string>();

/** A response as handlers make most of theirs. */
export function text(body: string | null, status = 200, headers: Record<string, string> = {}): Response {
  const response = new Response(body, { status, headers: { "content-type": "text/plain", ...headers } });
  if (body !== null) texts.set(response, body);
  return response;
}

/** The body of a response that was made by `text`, for hosts that send a body in one piece where there is one. */
export const wholeText = (response: Response): string | undefined => texts.get(response);

/** A body that a handler makes bit by bit: each part may be waited for. An error fails it. */
export function streamOf(parts: Iterable<string | Promise<unknown> | Error>): ReadableStream<Uint8Array> {
  const rest = parts[Symbol.iterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = rest.next();
          if (done) return controller.close();
          if (value instanceof Error) return controller.error(value);
          if (typeof value === "string") return controller.enqueue(new TextEncoder().encode(value));
          await value;
        }
      },
    },
    { highWaterMark: 0 },
  );
}

/** A cache with a prefix of its own. */
export const newCache = (): Cache => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });

/** @throws for a host that takes no bytes as they are */
export function rawServer({ raw }: Opened): RawServer {
  if (!raw) throw new Error("this host has no server that takes any bytes");
  return raw;
}
