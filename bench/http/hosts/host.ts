import { createRequire } from "node:module";
import { createCache, nearCache } from "valkey-edge-cache";

/** Which cache is in front of the handler. */
export type By = "handler" | "constant" | "library" | "near" | Peer;
/** What the users of a framework have without this library. */
export type Peer =
  | "apicache"
  | "apicache-redis"
  | "apicache-plus"
  | "apicache-plus-redis"
  | "route-cache"
  | "fastify-caching"
  | "fastify-caching-redis";

const [, , first = "handler", location = ""] = process.argv;
/** The arguments of a host's program. */
export const by = first as By;
export const url = location.replace("valkey:", "redis:");
export const HOST = "127.0.0.1";
export const CACHE_CONTROL = "public, max-age=3600";
/** Of the bodies, in KB. */
export const KILOBYTES = [1, 100];
/** The peers' lifetime of an entry: as long as that of CACHE_CONTROL. */
export const LIFETIME = "1 hour";

export function bodyOf(kilobytes: number): string {
  return "x".repeat(kilobytes * 1_024);
}

/** The cache of the library's contenders; `undefined` for the others. */
export function libraryCache() {
  if (by !== "library" && by !== "near") return undefined;
  return createCache({ location, ...(by === "near" ? { nearCache: nearCache() } : {}) });
}

/** Loads a package that has no types of its own, or has them for another module system. */
export function load<T>(name: string): T {
  return createRequire(import.meta.url)(name) as T;
}

/** Tells the bench where the program listens. */
export function print(port: number): void {
  console.log(port);
}
