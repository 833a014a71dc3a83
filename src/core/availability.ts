import type { Command } from "./connection.js";
import { ReplyError } from "./errors.js";
import type { Clock } from "./time.js";

/** How a claim reads or takes an entry in one command. Servers before 7.0 refuse these options together. */
export const SET_NX_GET = "SET NX GET";

/** How long a refusal is remembered. After that the command is tried again, as ACLs and servers change. */
const REMEMBER_MS = 300_000;

/** How servers and proxies refuse a command itself. An ACL may also refuse a command inside a script. */
const REFUSAL = /(?:permissions to run the|un(?:known|supported) command|command is not available:) ['`"]?([\w|]+)/i;

/** A command that the server doesn't have, or that its ACL refuses to this user. */
export class UnavailableError extends ReplyError {
  /** @param what the command, such as `"EVAL"` */
  constructor(
    readonly what: string,
    cause: ReplyError,
    more: string,
  ) {
    super(cause.code, `${cause.detail}; ${more}`, { cause });
  }
}

/** What one server, or its ACL, refuses to one user: noticed in replies, and remembered for all connections to it. */
export class Availability {
  readonly #name: string;
  readonly #clock: Pick<Clock, "now">;
  /** The last refusal of each command, and when that was. */
  readonly #refusals = new Map<string, { readonly error: UnavailableError; readonly ms: number }>();

  /** @param name the server, for messages */
  constructor(name: string, clock: Pick<Clock, "now">) {
    this.#name = name;
    this.#clock = clock;
  }

  /** What was refused lately; `undefined` when nothing was. */
  get refusals(): readonly UnavailableError[] | undefined {
    for (const [what, { ms }] of this.#refusals) {
      if (Math.abs(this.#clock.now() - ms) >= REMEMBER_MS) this.#refusals.delete(what);
    }
    return this.#refusals.size > 0 ? Array.from(this.#refusals.values(), ({ error }) => error) : undefined;
  }

  /**
   * The error for an error reply: with the remedy where the command itself was refused, and as it is where one call has
   * failed, as for a key that the ACL refuses or an error inside a script.
   */
  explain(reply: ReplyError, command?: Command): ReplyError {
    const what = refusedCommand(reply, command);
    if (what === undefined) return reply;
    const error = new UnavailableError(what, reply, this.#remedy(what, reply.detail));
    this.#refusals.set(what, { error, ms: this.#clock.now() });
    return error;
  }

  #remedy(what: string, detail: string): string {
    if (what === SET_NX_GET) return `${this.#name} is older than 7.0, which has SET with NX and GET: update it`;
    if (!detail.includes("permissions")) return `${this.#name} has no ${what}: use a server or a proxy that has it`;
    const [, user = "<user>"] = /User (\S+) has no/.exec(detail) ?? [];
    const rule = what === "EVAL" ? "+eval +evalsha" : `+${what.toLowerCase().replace(" ", "|")}`;
    return `to allow it, run "ACL SETUSER ${user} ${rule}" at ${this.#name}`;
  }
}

/** The command that a reply says is not available. */
export function refusedCommand({ detail }: ReplyError, command?: Command): string | undefined {
  const [, name] = REFUSAL.exec(detail) ?? [];
  if (name !== undefined) return name.toUpperCase().replace("|", " ");
  const isClaim = command?.[0] === "SET" && command[3] === "NX" && command[4] === "GET";
  return isClaim && detail.startsWith("syntax error") ? SET_NX_GET : undefined;
}
