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
 * The version is `"*"` in patterns, and `"lock"` for locks, so that a lock never has the key of an entry. The key is `""` for
 * the purge log of tags and of the HTTP cache: what is returned for it must be no entry's key.
 */
export type KeyFunction = (key: string, prefix: string, version: number | "*" | "lock") => string;

/** Returns the user's key of a stored key. */
export type ReverseKeyFunction = (storedKey: string, prefix: string) => string;

/** Django's format of keys. */
export const defaultKeyFunction: KeyFunction = (key, prefix, version) => `${prefix}:${version}:${key}`;

export const defaultReverseKeyFunction: ReverseKeyFunction = (storedKey, prefix) =>
  storedKey.slice(storedKey.indexOf(":", prefix.length + 1) + 1);

/**
 * Why a prefix can't be used with `defaultKeyFunction`; `undefined` when it can. The key `t:42:1:x` is that of `1:x` in
 * version 42 under the prefix `t`, and that of `x` in version 1 under the prefix `t:42`: `clear` of the one would delete
 * entries of the other. The same holds for locks.
 */
export function ambiguousPrefix(prefix: string): string | undefined {
  const [, ...parts] = prefix.split(":");
  const wrong = parts.find((part) => /^-?\d+$/.test(part) || part === "lock");
  if (wrong === undefined) return undefined;
  return `a prefix without ":${wrong}", which reads as the version in keys of the prefix before it, such as ${JSON.stringify(prefix.replaceAll(":", "-"))}`;
}

/** @throws TypeError if `key` is not a key */
export function checkKey(key: unknown): asserts key is Key {
  if (key instanceof StoredKey) return;
  if (typeof key !== "string") throw new TypeError(`key: ${show(key)} is not a key; give a string`);
  if (key === "") throw new TypeError("key: an empty string is not a key; give at least one character");
  checkWellFormed(key, "key");
}

/** @throws TypeError for half of a surrogate pair: in UTF-8 all halves become the same character, and keys would collide */
export function checkWellFormed(text: string, name: string): void {
  if (text.isWellFormed()) return;
  throw new TypeError(
    `${name}: ${show(text)} has half of a surrogate pair, which UTF-8 can't hold; give text that is cut between characters, as [...text].slice(0, 20).join("") does`,
  );
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
