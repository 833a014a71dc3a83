import type { Cache } from "../cache/cache.js";
import { chain, type MaybePromise } from "../core/async.js";
import { joinParts, randomText } from "../core/text.js";
import { digest, labelsOf, tagText } from "../tags/labels.js";
import type { Labels } from "./rfc/invalidation.js";

/** Longer keys are hashed, so that keys are readable and bounded. */
const LONGEST = 200;
/** 192 bits, so that collisions can't be found. */
const HASH = 32;

/** The stored key of a URL. Its hash tag keeps all keys of the URL in one slot of a cluster. */
export function baseKey(cache: Cache, name: string, cacheKey: string): MaybePromise<string> {
  const short = cacheKey.length <= LONGEST ? cacheKey : digest(cacheKey, HASH).then((hash) => `#${hash}`);
  return chain(short, (text) => String(cache.makeKey(`http:${name}:{${text}}`)));
}

/** What all keys of an HTTP cache begin with, in one cache. */
export function keysStem(cache: Cache, name: string): string {
  return String(cache.makeKey(`http:${name}:`));
}

/** A random identifier for the variants of a URL; each purge ends one generation. */
export function newGeneration(): string {
  return randomText(12);
}

/** The prefix of the keys of a URL's variants. A key without a hash tag becomes the hash tag. */
export function variantStem(base: string): string {
  return `${base.includes("{") ? base : `{${base}}`}:`;
}

export function variantKey(base: string, generation: string, selectorHash: string): string {
  return `${variantStem(base)}${generation}:${selectorHash}`;
}

export function selectorHash(selector: string): Promise<string> {
  return digest(selector, HASH);
}

/**
 * Tags hold in all of the cache, for its other entries too. Groups hold within the origin of `url` (RFC 9875 §2), and like
 * prefixes only in the HTTP cache of this name.
 */
export function labelHashes({ tags, groups, prefixes }: Labels, name: string, url: string): MaybePromise<string[]> {
  const origin = groups.length > 0 && URL.canParse(url) ? new URL(url).origin : "";
  return labelsOf([
    ...tags.map(tagText),
    ...groups.map((group) => joinParts(["group", name, origin, group])),
    ...prefixes.map((prefix) => joinParts(["prefix", name, prefix])),
  ]);
}
