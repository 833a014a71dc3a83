import type { Cache } from "../cache/cache.js";
import { show } from "../core/errors.js";
import { compileGlob, escapeGlob } from "../core/glob.js";
import { checkWellFormed, makePattern } from "../core/key.js";
import { keyParser, namespaceText, type ParsedKey } from "./keys.js";
import type { KeySelection } from "./port.js";

/** Which stored keys are meant. */
export interface Selected {
  /** A glob that all of them match, and others may. */
  readonly pattern: string;
  readonly isSelected: (storedKey: string) => boolean;
}

/** The keys of a selection, whatever their tags. @throws TypeError on a selection that is none */
export function select(
  cache: Pick<Cache, "parts">,
  { pattern = "*", namespaces = [], version }: KeySelection,
): Selected {
  checkPattern(pattern);
  const matches = compileGlob(pattern);
  const within = textOf(cache, namespaces);
  const isInVersion = (key: ParsedKey): boolean => version === undefined || key.version === version;
  const isSelected = (key: ParsedKey): boolean =>
    isInVersion(key) &&
    isWithin(key, within) &&
    (matches(key.key ?? "") || matches(namespaceText(key.namespaces) + (key.key ?? "")));
  return selected(cache, { namespaces, version: version ?? "*", pattern: `*${pattern}`, isSelected });
}

/** What the keys of namespaces begin with, those that the cache is a view of included. @throws TypeError on wrong names */
function textOf({ parts }: Pick<Cache, "parts">, namespaces: readonly string[]): string {
  return parts.settings.namespace + namespaceText(namespaces);
}

/** @param within the text of a namespace, with those that it is in */
function isWithin(key: ParsedKey, within: string): boolean {
  return namespaceText(key.namespaces).startsWith(within);
}

/** The keys that `deletePattern` of a cache, or of a namespace in it, would delete. @throws TypeError */
export function selectPattern(
  cache: Pick<Cache, "parts">,
  pattern: string,
  namespaces: readonly string[] = [],
): Selected {
  checkPattern(pattern);
  const { version } = cache.parts.settings;
  const isSelected = (key: ParsedKey): boolean => key.of === "entry" && key.version === version;
  return selected(cache, { namespaces, version, pattern, isSelected });
}

/** All keys of a namespace, and of those within it: what `clear` would delete. @throws TypeError */
export function selectNamespace(cache: Pick<Cache, "parts">, namespaces: readonly string[]): Selected {
  const within = textOf(cache, namespaces);
  const isSelected = (key: ParsedKey): boolean => key.of === "entry" && isWithin(key, within);
  return selected(cache, { namespaces, version: "*", pattern: "*", isSelected });
}

function selected(
  cache: Pick<Cache, "parts">,
  {
    namespaces,
    version,
    pattern,
    isSelected,
  }: {
    readonly namespaces: readonly string[];
    readonly version: number | "*";
    readonly pattern: string;
    readonly isSelected: (key: ParsedKey) => boolean;
  },
): Selected {
  const { keyFunction, prefix } = cache.parts.settings;
  const within = escapeGlob(textOf(cache, namespaces)) + pattern;
  const parse = keyParser(cache);
  return {
    pattern: makePattern(keyFunction, within, prefix, version),
    isSelected(storedKey) {
      const key = parse(storedKey);
      return key.of !== "other" && isSelected(key);
    },
  };
}

function checkPattern(pattern: unknown): void {
  if (typeof pattern !== "string" || pattern === "") {
    throw new TypeError(`pattern: ${show(pattern)} is not a pattern; give a glob such as "user:*"`);
  }
  checkWellFormed(pattern, "pattern");
}
