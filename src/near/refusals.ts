import { UnavailableError } from "../core/availability.js";
import { ConfigurationError, ConnectionError, ReplyError } from "../core/errors.js";

/** Error replies that end by themselves. */
const PASSING =
  /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|DENIED|NOREPLICAS|MISCONF|ERR max number)/;

/** Whether an error reply refuses nothing for good. */
export function passes(reply: string): boolean {
  return PASSING.test(reply);
}

/** What is left where a server refuses to report changes. Under `"off"` nothing is kept. */
export interface Refusal {
  readonly mode: "channel" | "ttl" | "off";
  /** What is refused, and what would allow it. */
  readonly remedy: string;
  readonly error: Error;
}

/** The server refuses what a near cache needs to hear of changes. */
export class RefusedError extends Error {
  constructor(
    /** What it can't be used for: tracking, or even the channel of near caches. */
    readonly what: "tracking" | "channel",
    /** With its arguments. */
    readonly command: readonly string[],
    /** The text of the error reply. */
    readonly reply: string,
  ) {
    super(reply);
  }

  /**
   * @param demanded the option `invalidation`: no other kind replaces it
   * @param server its name
   * @param earlier the remedy for tracking, where that was refused before
   */
  toRefusal(demanded: string | undefined, server: string, earlier?: string): Refusal {
    const { what, command, reply } = this;
    const [, code = "ERR", detail = reply] = /^([A-Z]+) (.*)$/s.exec(reply) ?? [];
    const [first = "", second = ""] = command;
    const name = first === "CLIENT" || first === "CLUSTER" ? `${first} ${second}` : first;
    const own = `${server} refuses ${name} to the near cache: ${remedyOf(name, command, server, reply)}`;
    const remedy = earlier === undefined ? own : `${earlier}; and ${own}`;
    if (demanded !== undefined) {
      const instead = `or leave out option "invalidation", which is "${demanded}"; nothing is kept meanwhile`;
      return { mode: "off", remedy, error: new ConfigurationError(`nearCache: ${reply}; ${remedy}, ${instead}`) };
    }
    const mode = what === "tracking" ? "channel" : "ttl";
    const known = mode === "channel" ? "only writes through near caches are notified" : "no change is notified";
    const more = `${remedy}. Meanwhile its invalidation is "${mode}", and ${known}: entries stay for maxStaleness at most`;
    return { mode, remedy, error: new UnavailableError(name, new ReplyError(code, detail), more) };
  }
}

/**
 * The connection was closed in the place of an answer to HELLO. Proxies do so with commands that they don't know, but also
 * while the server behind them is gone.
 */
export class HungUpError extends Error {
  constructor(
    message: string,
    /** PING was answered on the same connection before: the server is there. */
    readonly isAnswering: boolean,
  ) {
    super(message);
  }
}

/** The refusal in an error; `undefined` where it may pass. */
export function refusalIn(error: Error, what: RefusedError["what"]): RefusedError | undefined {
  if (error instanceof RefusedError) return error;
  const isRefusal = error instanceof HungUpError && error.isAnswering;
  return isRefusal ? new RefusedError(what, ["HELLO"], "ERR the connection was closed on HELLO") : undefined;
}

function remedyOf(name: string, command: readonly string[], server: string, reply: string): string {
  if (!reply.startsWith("NOPERM")) return "use a server or a proxy that has it";
  const [, user = "<user>"] = /User (\S+) has no/.exec(reply) ?? [];
  const channels = name === "PUBLISH" ? command.slice(1, 2) : command.slice(1);
  const rules = / channel/.test(reply)
    ? channels.map((channel) => `&${channel}`)
    : [`+${name.toLowerCase().replace(" ", "|")}`];
  return `to allow it, run "ACL SETUSER ${user} ${rules.join(" ")}" at ${server}`;
}

/** The server refuses to report lifetimes. */
export function withoutLifetimes(reply: ReplyError): Error {
  return new UnavailableError("PTTL", reply, "the near cache keeps nothing meanwhile");
}

/** A listener could not be had for a while. */
export function notListening(cause: Error): Error {
  return new ConnectionError(`near cache: it can't hear of changes, and keeps nothing meanwhile: ${cause.message}`, {
    cause,
  });
}
