import { ConfigurationError, NotAnIntegerError, ReplyError, show } from "../core/errors.js";
import type { ClientContext } from "./client.js";

/**
 * Reports a store error, after which the caller still gets a value.
 * @throws {ConfigurationError} as it is, because only a change of the program corrects it
 */
export function tolerate(context: Pick<ClientContext, "report">, error: unknown, method: string, key: string): void {
  if (error instanceof ConfigurationError) throw error;
  context.report(error, method, key);
}

/** Adds the remedy to the error for keys of several slots, which a cluster can't serve together. */
export async function sameSlot<T>(keys: readonly string[], work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof ReplyError) || cause.code !== "CROSSSLOT") throw cause;
    const some = keys.slice(0, 3).map(show).join(", ");
    throw new ReplyError(
      "CROSSSLOT",
      `keys ${some} are in different slots of the cluster, which can't serve them in one step; give them a common hash tag, such as "{user1}:a" and "{user1}:b"`,
      { cause },
    );
  }
}

/** The error to throw when an entry with tags was to be counted up. */
export function countsNoTags(key: string): NotAnIntegerError {
  return new NotAnIntegerError(`key ${show(key)}: an entry with tags can't be counted up; set it without tags`);
}

/** The error to throw when other writers replaced the tags of an entry whenever a script was to change it. */
export function keepsChanging(key: string, script: string): ReplyError {
  return new ReplyError(
    "TRYAGAIN",
    `key ${show(key)}: "${script}" gave up, as other writers keep replacing the entry's tags; retry it`,
  );
}

/** The error to throw when INCRBY was refused. */
export function notAnInteger(cause: unknown, key: string, delta: bigint): unknown {
  if (!(cause instanceof ReplyError)) return cause;
  if (cause.detail.includes("not an integer")) {
    return new NotAnIntegerError(`key ${show(key)}: what is stored there is no 64-bit integer; set an integer first`, {
      cause,
    });
  }
  if (cause.detail.includes("overflow")) {
    return new NotAnIntegerError(
      `key ${show(key)}: adding ${delta} leaves the range of 64-bit integers; set a smaller one first`,
      { cause },
    );
  }
  return cause;
}
