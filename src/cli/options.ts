import { EXIT, Exit } from "./exit-codes.js";

/** The options of a command line, as the parser found them. */
export class Options {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.#values[name];
    return typeof value === "number" ? value : undefined;
  }

  /** The values of an option that may be given several times. */
  list(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }
}

/** @throws {Exit} when a text is not a whole number in a range */
export function wholeNumber(name: string, least: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^-?\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) return number;
    const range = least === Number.MIN_SAFE_INTEGER ? "a whole number" : `a whole number from ${least}`;
    throw new Exit(EXIT.usage, `${name}: ${JSON.stringify(text)} is not a number; give ${range}`);
  };
}

/** Adds a value to those of the same option. */
export function collected(value: string, before: unknown): string[] {
  return [...(Array.isArray(before) ? before.map(String) : []), value];
}
