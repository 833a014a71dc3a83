import { ConfigurationError, show } from "./errors.js";
import { type Duration, toWindowMs } from "./time.js";

/** Says what a value may be, when it is not that; nothing when it is. */
export type Check = (value: unknown, name: string) => string | undefined;

/** One check for each option of `T`: a new option without a check doesn't compile. `null` for options that are checked elsewhere. */
export type Checks<T> = { readonly [K in keyof Required<T>]: Check | null };

/**
 * Checks options before anything is done with them.
 * @param where the function that takes them, for messages
 * @throws {ConfigurationError} naming the option, its value and what is allowed
 */
export function checkOptions<T extends object>(where: string, given: unknown, checks: Checks<T>): asserts given is T {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigurationError(
      `${where}: options must be an object, not ${shown("", given)}; give one with any of: ${namesOf(checks)}`,
    );
  }
  // createCache calls a factory with these: `client: herd` is given where `client: herd()` is meant.
  if ("events" in given && "report" in given && typeof given.report === "function") {
    throw new ConfigurationError(`createCache: ${where} is given as a function; call it: ${where}()`);
  }
  for (const [name, value] of Object.entries(given)) {
    const wrong = wrongOption(name, value, checks);
    if (wrong !== undefined) throw new ConfigurationError(`${where}: ${wrong}`);
  }
}

/** What is wrong with one option, and what to give instead; `undefined` when nothing is. */
export function wrongOption(
  name: string,
  value: unknown,
  checks: Readonly<Record<string, Check | null>>,
): string | undefined {
  const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
  if (check === undefined) return `unknown option ${show(name)}; known options are: ${namesOf(checks)}`;
  const allowed = value === undefined ? undefined : check?.(value, name);
  return allowed === undefined ? undefined : `option "${name}" is ${shown(name, value)}; give ${allowed}`;
}

function namesOf(checks: object): string {
  return Object.keys(checks).join(", ") || "none";
}

/** Never a password: not the one that is an option itself, and no URL that was given in the place of something else. */
function shown(option: string, value: unknown): string {
  const secret = /pass|cred/i.test(option) || (typeof value === "string" && value.includes("@"));
  return secret ? `a ${typeof value} (hidden)` : show(value);
}

export const isBoolean: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
export const isText: Check = (value) =>
  typeof value === "string" && value !== "" ? undefined : "a string that is not empty";
export const isString: Check = (value) =>
  typeof value === "string" && value.isWellFormed() ? undefined : "a string of whole characters";
export const isFunction: Check = (value) => (typeof value === "function" ? undefined : "a function");
export const isInteger: Check = (value) => (Number.isSafeInteger(value) ? undefined : "a whole number");

export const isPositiveInteger: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : "a whole number above 0";

/** Zero or longer. */
export const isWindow: Check = (value, name) => {
  try {
    toWindowMs(value, name);
    return undefined;
  } catch {
    return 'seconds as a number from 0, or a string such as "250ms", "90s", "5m"';
  }
};

/** Longer than zero. */
export const isWait: Check = (value, name) =>
  isWindow(value, name) ?? (toWindowMs(value as Duration, name) > 0 ? undefined : "a duration above 0");

/** The check, or `null`. */
export function orNull(check: Check): Check {
  return (value, name) => {
    const allowed = value === null ? undefined : check(value, name);
    return allowed && `${allowed}, or null`;
  };
}

export function isOneOf(...allowed: readonly (string | number)[]): Check {
  return (value) => (allowed.some((one) => one === value) ? undefined : allowed.map((one) => show(one)).join(" or "));
}

/** An object with these methods, as a port's implementation has. */
export function isImplementation(what: string, ...methods: readonly string[]): Check {
  return (value) => {
    const has = (method: string): boolean =>
      typeof value === "object" && value !== null && typeof Reflect.get(value, method) === "function";
    return methods.every(has) ? undefined : `${what} (an object with ${methods.map((name) => `${name}()`).join(", ")})`;
  };
}
