import { show } from "./errors.js";
import { escapeGlob } from "./glob.js";

/** A key as stored. Passing it where a key is asked for takes it as it is; `String(key)` is the text that Valkey sees. */
export class MadeKey {
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

/** What a user names an entry by: a key of their own, or one made before. */
export type Key = string | MadeKey;

/**
 * Joins a user's key, the cache's prefix and a version into the key as stored.
 * In patterns the version is `"*"`, and for locks `"lock"`, so that a lock never has an entry's key.
 */
export type KeyFunction = (key: string, prefix: string, version: number | "*" | "lock") => string;

/** The user's key in a key as stored. */
export type ReverseKeyFunction = (madeKey: string, prefix: string) => string;

/** As Django makes keys. */
export const defaultKeyFunction: KeyFunction = (key, prefix, version) => `${prefix}:${version}:${key}`;

export const defaultReverseKeyFunction: ReverseKeyFunction = (madeKey, prefix) =>
  madeKey.slice(madeKey.indexOf(":", prefix.length + 1) + 1);

/** @throws TypeError on what is not a key */
export function checkKey(key: unknown): asserts key is Key {
  if (key instanceof MadeKey) return;
  if (typeof key !== "string") throw new TypeError(`key: ${show(key)} is not a key; give a string`);
  if (key === "") throw new TypeError("key: an empty string is not a key; give at least one character");
}

/** A glob for the keys of `pattern`: the prefix stands for itself, the pattern keeps its wildcards. */
export function makePattern(
  keyFunction: KeyFunction,
  pattern: string,
  prefix: string,
  version: number | "*" | "lock",
): string {
  return keyFunction(pattern, escapeGlob(prefix), version);
}
