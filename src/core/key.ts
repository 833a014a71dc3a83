import { show } from "./errors.js";
import { escapeGlob } from "./glob.js";

/** A key as it is stored. Methods that take a key use it unchanged. `String(key)` is the text that Valkey sees. */
export class StoredKey {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

/** The key of an entry: the user's own key, or a stored key from `makeKey`. */
export type Key = string | StoredKey;

/**
 * Joins a user's key, the cache's prefix and a version into the stored key.
 * The version is `"*"` in patterns, and `"lock"` for locks, so that a lock never has the key of an entry.
 */
export type KeyFunction = (key: string, prefix: string, version: number | "*" | "lock") => string;

/** Returns the user's key of a stored key. */
export type ReverseKeyFunction = (storedKey: string, prefix: string) => string;

/** Django's format of keys. */
export const defaultKeyFunction: KeyFunction = (key, prefix, version) => `${prefix}:${version}:${key}`;

export const defaultReverseKeyFunction: ReverseKeyFunction = (storedKey, prefix) =>
  storedKey.slice(storedKey.indexOf(":", prefix.length + 1) + 1);

/** @throws TypeError if `key` is not a key */
export function checkKey(key: unknown): asserts key is Key {
  if (key instanceof StoredKey) return;
  if (typeof key !== "string") throw new TypeError(`key: ${show(key)} is not a key; give a string`);
  if (key === "") throw new TypeError("key: an empty string is not a key; give at least one character");
}

/** A glob for stored keys. The prefix is escaped, and the pattern keeps its wildcards. */
export function makePattern(
  keyFunction: KeyFunction,
  pattern: string,
  prefix: string,
  version: number | "*" | "lock",
): string {
  return keyFunction(pattern, escapeGlob(prefix), version);
}
