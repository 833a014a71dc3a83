import { ConfigurationError, show } from "../core/errors.js";
import { compileGlob, escapeGlob } from "../core/glob.js";
import { ambiguousPrefix, checkKey, checkWellFormed, defaultKeyFunction, type Key, makePattern } from "../core/key.js";
import type { KeyOptions } from "./method-options.js";
import type { Settings } from "./settings.js";

type KeySettings = Pick<Settings, "prefix" | "namespace" | "version" | "keyFunction" | "reverseKeyFunction">;

/** The most characters of names of namespaces, with all above them. */
const MAX_NAMESPACE = 1_024;

/** What follows the prefix in the stored key of a purge log, in any version. */
const LOG = /^:-?\d+:$/;

/**
 * What the keys of a namespace begin with, after those of the namespace that it is in. Parentheses in a name are escaped, so no
 * namespace's keys begin with those of another one that it is not in.
 * @throws TypeError
 */
export function toNamespace(name: unknown, parent: string): string {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`namespace: ${show(name)} is not a name; give text such as "tenant-42"`);
  }
  checkWellFormed(name, "namespace");
  const escaped = name.replace(/[%()]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  const namespace = `${parent}ns(${escaped}):`;
  if (namespace.length <= MAX_NAMESPACE) return namespace;
  throw new TypeError(
    `namespace: ${show(name)} is too long; give at most ${MAX_NAMESPACE} characters with all above it`,
  );
}

/** Turns users' keys into stored keys and back, with the prefix and version of the call or of the cache. */
export class KeyBuilder {
  readonly #settings: KeySettings;
  /** The text that Django's key function puts before each key, for calls without options of their own. */
  readonly #head: string | undefined;

  constructor(settings: KeySettings) {
    this.#settings = settings;
    const { keyFunction, prefix, namespace, version } = settings;
    this.#head = keyFunction === defaultKeyFunction ? keyFunction(namespace, prefix, version) : undefined;
  }

  /** The stored key. @throws TypeError when `key` is not a key */
  stored(key: Key, options: KeyOptions): string {
    const isPlain = options.version === undefined && options.prefix === undefined;
    // The quick form of `checkKey`, for most calls.
    const isUserKey = typeof key === "string" && key !== "" && key.isWellFormed();
    if (isPlain && isUserKey && this.#head !== undefined) return this.#head + key;
    const prefix = this.prefix(options);
    const version = this.version(options);
    checkKey(key);
    return typeof key === "string" ? this.#join(key, prefix, version) : String(key);
  }

  /** The stored keys, in the order of `keys`. @throws TypeError when one is not a key, and for wrong options of no keys */
  storedAll(keys: readonly unknown[], options: KeyOptions): string[] {
    this.check(options);
    return keys.map((key) => this.stored(key as Key, options));
  }

  /** Checks the options of calls that may have no key. @throws TypeError */
  check(options: KeyOptions): void {
    this.prefix(options);
    this.version(options);
  }

  /** A glob of stored keys: wildcards work in `pattern`, and the prefix stands for itself. @throws TypeError */
  pattern(pattern: string, options: KeyOptions): string {
    if (typeof pattern !== "string" || pattern === "") {
      throw new TypeError(`pattern: ${show(pattern)} is not a pattern; give a glob such as "user:*"`);
    }
    checkWellFormed(pattern, "pattern");
    const within = escapeGlob(this.#settings.namespace) + pattern;
    return makePattern(this.#settings.keyFunction, within, this.prefix(options), this.version(options));
  }

  /** Whether a stored key that matches a pattern is an entry's: the purge log, which has the empty key, is none. */
  isEntry(options: KeyOptions): (storedKey: string) => boolean {
    const { keyFunction } = this.#settings;
    const prefix = this.prefix(options);
    if (keyFunction === defaultKeyFunction) return (storedKey) => !LOG.test(storedKey.slice(prefix.length));
    let log: unknown;
    try {
      log = keyFunction("", prefix, this.version(options));
    } catch {
      // Then there is no log.
    }
    return (storedKey) => storedKey !== log;
  }

  /**
   * A glob of every stored key with this prefix and in this namespace, whatever its version, and a check of which matches are
   * entries. What it has found to be purge logs is added to `logs`.
   * @throws {ConfigurationError} when the glob would match every key of the database, or nothing says what a key's namespace is
   */
  all(options: Pick<KeyOptions, "prefix">): {
    readonly pattern: string;
    readonly isEntry: (storedKey: string) => boolean;
    readonly logs: readonly string[];
  } {
    const { keyFunction } = this.#settings;
    const prefix = this.prefix(options);
    const pattern = makePattern(keyFunction, `${escapeGlob(this.#settings.namespace)}*`, prefix, "*");
    // Throws before any I/O where keys can't be reversed.
    if (this.#settings.namespace !== "") this.#isWithin(this.#join("a", prefix, this.#settings.version), prefix);
    if (/^\**$/.test(pattern)) {
      throw new ConfigurationError(
        "clear: with this keyFunction every key of the database matches; put the prefix into keys, or use flush()",
      );
    }
    const isEntry = this.#isEntry(prefix, pattern);
    const isNoLog = this.isEntry(options);
    const logs: string[] = [];
    const owns = (key: string): boolean => {
      if (isNoLog(key)) return isEntry(key);
      logs.push(key);
      return false;
    };
    return { pattern, logs, isEntry: owns };
  }

  /**
   * The stored key of a lock, which differs from that of an entry with the same name.
   * @throws TypeError when `name` is not a key
   * @throws {ConfigurationError} when the key function leaves the version out
   */
  lock(name: string, options: Pick<KeyOptions, "prefix">): string {
    checkKey(name);
    const prefix = this.prefix(options);
    const key = this.#join(name, prefix, "lock");
    if (key !== this.#join(name, prefix, this.#settings.version)) return key;
    throw new ConfigurationError(
      `lock: this keyFunction gives a lock the key of an entry, ${show(key)}; put the version into keys, which is "lock" there`,
    );
  }

  /** The user's key in a stored key. */
  reverse(storedKey: string, options: KeyOptions): string {
    const { reverseKeyFunction, namespace } = this.#settings;
    return reverseKeyFunction(storedKey, this.prefix(options)).slice(namespace.length);
  }

  #isWithin(storedKey: string, prefix: string): boolean {
    return this.#settings.reverseKeyFunction(storedKey, prefix).startsWith(this.#settings.namespace);
  }

  /** @throws TypeError when the option is not a whole number */
  version({ version }: KeyOptions): number {
    if (version === undefined) return this.#settings.version;
    if (Number.isSafeInteger(version)) return version;
    throw new TypeError(`version: ${show(version)} is not a version; give a whole number`);
  }

  /** @throws TypeError when the option is not a string */
  prefix({ prefix }: KeyOptions): string {
    if (prefix === undefined) return this.#settings.prefix;
    if (typeof prefix !== "string") throw new TypeError(`prefix: ${show(prefix)} is not a prefix; give a string`);
    checkWellFormed(prefix, "prefix");
    const allowed = this.#head === undefined ? undefined : ambiguousPrefix(prefix);
    if (allowed !== undefined) throw new TypeError(`prefix: ${show(prefix)} is ambiguous; give ${allowed}`);
    return prefix;
  }

  /** @throws TypeError when the key function returns no key, or one that UTF-8 can't hold */
  #join(key: string, prefix: string, version: number | "lock"): string {
    const stored: unknown = this.#settings.keyFunction(this.#settings.namespace + key, prefix, version);
    if (typeof stored !== "string" || stored === "") {
      throw new TypeError(`keyFunction: it returned ${show(stored)} for ${show(key)}; let it return the text of a key`);
    }
    checkWellFormed(stored, "keyFunction");
    return stored;
  }

  /** A glob can't say "a number", so `a:*:*` also matches keys of the prefix `a:b`, and locks. */
  #isEntry(prefix: string, pattern: string): (storedKey: string) => boolean {
    const { keyFunction, namespace } = this.#settings;
    const isWithin = (storedKey: string): boolean => namespace === "" || this.#isWithin(storedKey, prefix);
    if (keyFunction === defaultKeyFunction) {
      return (storedKey) => /^-?\d+:/.test(storedKey.slice(prefix.length + 1)) && isWithin(storedKey);
    }
    const locks = makePattern(keyFunction, `${escapeGlob(namespace)}*`, prefix, "lock");
    // A function that leaves the version out has no locks.
    if (locks === pattern) return isWithin;
    const isLock = compileGlob(locks);
    return (storedKey) => !isLock(storedKey) && isWithin(storedKey);
  }
}
