import type { Cache } from "../cache/cache.js";
import { toNamespace } from "../cache/key-builder.js";
import { defaultKeyFunction } from "../core/key.js";
import { isFleetName } from "./fleet-summaries.js";

/** What a stored key says. */
export interface ParsedKey {
  readonly storedKey: string;
  /** Whose key it is: an entry's or a lock's of this cache, that of its purge log, or none of this cache's. */
  readonly of: "entry" | "lock" | "log" | "other";
  /** The user's key, without prefix, version and namespace; `undefined` where it is not known. */
  readonly key: string | undefined;
  readonly version: number | undefined;
  /** Names of namespaces, the outermost first. */
  readonly namespaces: readonly string[];
}

/** A namespace at the beginning of a key, as `toNamespace` of cache/key-builder.ts writes it. */
const NAMESPACE = /^ns\(([^()]+)\):/;
const ESCAPED = /%(2[589])/g;

/** A user's key with the names of its namespaces before it. A key that only begins alike is in none. */
function splitNamespaces(whole: string): { key: string; namespaces: string[] } {
  const namespaces: string[] = [];
  for (let text = ""; ; ) {
    const key = whole.slice(text.length);
    const [start, escaped = ""] = NAMESPACE.exec(key) ?? [];
    if (start === undefined) return { key, namespaces };
    const name = escaped.replace(ESCAPED, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (written(name, text) !== text + start) return { key, namespaces };
    namespaces.push(name);
    text += start;
  }
}

/** What keys of a namespace begin with; `undefined` where the name can't be one. */
function written(name: string, parent: string): string | undefined {
  try {
    return toNamespace(name, parent);
  } catch {
    return undefined;
  }
}

/** What keys of these namespaces begin with, after prefix and version. It is also their tag. @throws TypeError on wrong names */
export function namespaceText(namespaces: readonly string[]): string {
  return namespaces.reduce((parent, name) => toNamespace(name, parent), "");
}

/** The tags of namespaces: each with those that it is in. */
export function namespaceTags(namespaces: readonly string[]): string[] {
  return namespaces.map((_name, i) => namespaceText(namespaces.slice(0, i + 1)));
}

/** Parses stored keys of one cache, whatever their version and namespace. */
export function keyParser({ parts }: Pick<Cache, "parts">): (storedKey: string) => ParsedKey {
  const { prefix, keyFunction } = parts.settings;
  if (keyFunction === defaultKeyFunction) return (storedKey) => parseDefault(storedKey, prefix);
  return (storedKey) => parseCustom(storedKey, parts.settings);
}

function parseDefault(storedKey: string, prefix: string): ParsedKey {
  const [, version, whole = ""] = storedKey.startsWith(`${prefix}:`)
    ? (/^(-?\d+|lock):(.*)$/s.exec(storedKey.slice(prefix.length + 1)) ?? [])
    : [];
  if (version === undefined) return other(storedKey);
  return parsed(storedKey, whole, version === "lock" ? "lock" : Number(version));
}

/** Keys of a user's own function are reversed, and then made again: with each number in them as the version. */
function parseCustom(storedKey: string, settings: Cache["parts"]["settings"]): ParsedKey {
  const { prefix, keyFunction, reverseKeyFunction, version } = settings;
  const make = (key: string, candidate: number | "lock"): string | undefined => {
    try {
      return keyFunction(key, prefix, candidate);
    } catch {
      return undefined;
    }
  };
  if (make("", version) === storedKey) return parsed(storedKey, "", version);
  let whole: unknown;
  try {
    whole = reverseKeyFunction(storedKey, prefix);
  } catch {
    // There is none, or the key is another application's.
  }
  if (typeof whole !== "string") return other(storedKey);
  const key = whole;
  const numbers = (storedKey.match(/-?\d{1,15}/g) ?? []).slice(0, 16).map(Number);
  const candidates = [version, "lock" as const, ...numbers];
  const found = candidates.find((candidate) => make(key, candidate) === storedKey);
  return found === undefined ? other(storedKey) : parsed(storedKey, key, found);
}

function parsed(storedKey: string, whole: string, version: number | "lock"): ParsedKey {
  if (version === "lock" && isFleetName(whole)) return other(storedKey);
  const split = splitNamespaces(whole);
  if (version === "lock") return { storedKey, of: "lock", version: undefined, ...split };
  return { storedKey, of: whole === "" ? "log" : "entry", version, ...split };
}

function other(storedKey: string): ParsedKey {
  return { storedKey, of: "other", key: undefined, version: undefined, namespaces: [] };
}
