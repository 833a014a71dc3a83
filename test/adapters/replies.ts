import { inject } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import type { Opened, RawServer } from "./host.js";

export const FRESH = { "cache-control": "public, max-age=60" };
export const STALE = { "cache-control": "max-age=0, stale-while-revalidate=60" };

/** A response as handlers make most of theirs. */
export function text(body: string | null, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain", ...headers } });
}

/** A cache with a prefix of its own. */
export const newCache = (): Cache => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });

/** @throws for a host that takes no bytes as they are */
export function rawServer({ raw }: Opened): RawServer {
  if (!raw) throw new Error("this host has no server that takes any bytes");
  return raw;
}
