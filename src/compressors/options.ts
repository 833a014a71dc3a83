import { type Check, type Checks, checkOptions } from "../core/options.js";

/** The options of every compressor. */
export interface CompressorOptions {
  /** In bytes. A value of up to this length is stored uncompressed. @default 15 */
  minLength?: number | undefined;
}

const MIN_LENGTH = 15;

/** Options with every default in place. */
type Complete<T> = { [K in keyof T]-?: Exclude<T[K], undefined> };

/**
 * Checks a compressor's options and fills in the defaults.
 * @param factory the function that takes the options, for messages
 * @throws {ConfigurationError} naming the option, its value and the allowed values
 */
export function compressorOptions<T extends CompressorOptions>(
  factory: string,
  given: T,
  checks: Checks<Omit<T, keyof CompressorOptions>>,
  defaults: Complete<Omit<T, keyof CompressorOptions>>,
): Complete<T> {
  checkOptions<CompressorOptions>(factory, given, { ...checks, minLength: isLength });
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { minLength: MIN_LENGTH, ...defaults, ...set } as Complete<T>;
}

export function isWhole(from: number, to: number): Check {
  return (value) =>
    Number.isInteger(value) && Number(value) >= from && Number(value) <= to
      ? undefined
      : `a whole number from ${from} to ${to}`;
}

const isLength: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : "a number of bytes, from 0";
