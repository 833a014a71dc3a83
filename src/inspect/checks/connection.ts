import { refusedCommand } from "../../core/availability.js";
import type { Command, ConnectionEvent, Reply } from "../../core/connection.js";
import { ConnectionError, ReplyError } from "../../core/errors.js";
import type { Check } from "./check.js";
import { type Diagnosis, duration, note, ok, problem, Skip, toFoundAndRemedy, warning } from "./finding.js";
import type { Subject } from "./subject.js";

const REACHABLE = "check that the server is running, and the location";

/** Error replies with which a server refuses the connection, or every command of it. */
const REFUSED = /^(?:NOAUTH|WRONGPASS|DENIED|LOADING|MASTERDOWN|CLUSTERDOWN|BUSY)$/;
const REMEDIES: Readonly<Record<string, string>> = {
  NOAUTH: "give a password in the location, or by option password or credentials",
  WRONGPASS: "check the username and the password",
  DENIED: 'the server is in protected mode: give it a password, or "bind" addresses',
  LOADING: "wait until the server has loaded its data",
  MASTERDOWN: "the server is a replica without its primary: give the primary's address, or wait for the failover",
  CLUSTERDOWN: "bring the nodes back that serve the missing slots",
  BUSY: 'a script is running for too long: end it with "SCRIPT KILL"',
};

/** Whether the server is reached as the application would, and how. */
export const connection: Check = {
  name: "connection",
  needsServer: false,
  async run(subject) {
    const { cache, settings, server } = subject;
    if (settings.place.scheme === "memory") {
      return [
        ok(
          `entries are kept in this process (${server})`,
          "No server takes part: no other process sees these entries, and they end with this one.",
        ),
      ];
    }
    let openedMs: number | undefined;
    // Held here, as connections hold it weakly.
    const onEvent = (event: ConnectionEvent): void => {
      if (event.kind === "connection" && event.state === "opened") openedMs = event.durationMs;
    };
    const unwatch = cache.connection.watch?.(onEvent);
    const startMs = performance.now();
    try {
      const [reply = null] = await subject.send([["PING"]]);
      if (reply instanceof ReplyError && REFUSED.test(reply.code)) return [unusable(subject, reply)];
      const tookMs = openedMs ?? performance.now() - startMs;
      const { transport = "a transport of its own" } = cache.connection.status();
      const { username } = settings.place;
      const user = username === undefined ? "" : `as user ${username}, `;
      const how = openedMs === undefined ? "connected to" : `connected in ${duration(tookMs)} to`;
      return [
        ok(
          `${how} ${server} over ${transport}, ${user}${settings.place.tls ? "with TLS" : "in plain text"}`,
          "The application reaches the server with these settings.",
        ),
      ];
    } catch (error) {
      return [unusable(subject, error)];
    } finally {
      unwatch?.();
    }
  },
};

/** @throws what is no failure of the connection */
function unusable(subject: Subject, error: unknown): Diagnosis {
  if (!(error instanceof ConnectionError) && !(error instanceof ReplyError)) throw error;
  const isReply = error instanceof ReplyError;
  const { lastError } = isReply ? { lastError: undefined } : statusOf(subject);
  // The circuit breaker's own error says less than the failure that has opened it.
  const shown = error.cause === lastError && lastError ? lastError : error;
  const otherwise = isReply ? (REMEDIES[error.code] ?? REACHABLE) : REACHABLE;
  const [found, remedy] = toFoundAndRemedy(shown.message, otherwise);
  subject.unreachable = "the server could not be reached";
  return problem(
    found,
    "No method reaches the store: getOrSet answers what its loader returns, and the others reject, or return what a miss returns with ignoreErrors.",
    remedy,
  );
}

function statusOf({ cache }: Subject): { readonly lastError: Error | undefined } {
  try {
    return cache.connection.status();
  } catch {
    return { lastError: undefined };
  }
}

/** Whether the connection is encrypted, where it leaves the machine. */
export const encryption: Check = {
  name: "encryption",
  needsServer: true,
  run({ settings: { place } }) {
    if (place.scheme === "unix") return [ok("a Unix socket", "Nothing leaves this machine.")];
    if (place.tls) return [ok("TLS", "Passwords, keys and values are encrypted on their way.")];
    const isLocal = place.addresses.every(({ host }) => /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host));
    if (isLocal) return [ok("plain text, within this machine", "Nothing leaves this machine.")];
    return [
      note(
        "plain text",
        "Anything on the way can read and change passwords, keys and values.",
        "use a valkeys:// or rediss:// location, unless the network is private",
      ),
    ];
  },
};

/** What this connection was refused in the last minutes. */
export const refusals: Check = {
  name: "refusals",
  needsServer: true,
  run({ cache }) {
    const { refusals: known = [], unavailable = [] } = cache.connection.status();
    const others = unavailable.filter((what) => !known.some((one) => one.what === what));
    if (known.length + others.length === 0) {
      return [ok("no command was refused in the last five minutes", "Nothing is worked around.")];
    }
    const remembered = known.map(({ what, message }) => {
      const [found, remedy] = toFoundAndRemedy(message, "");
      return {
        ...warning(
          found,
          "The library remembers it for five minutes, and goes on without this command where it can.",
          remedy,
        ),
        part: what.toLowerCase().replaceAll(" ", "-"),
      };
    });
    const greetings = others.map((what) => ({
      ...note(
        `${what} was refused while the connection was opened`,
        "Connections go on without it: they are harder to tell apart in CLIENT LIST.",
        `allow +${what.toLowerCase().replace(" ", "|")}, or leave it`,
      ),
      part: what.toLowerCase().replaceAll(" ", "-"),
    }));
    return [...remembered, ...greetings];
  },
};

/** Whether HELLO and CLIENT reach the server, which proxies refuse. */
export const protocol: Check = {
  name: "protocol",
  needsServer: true,
  async run(subject) {
    const refused = await unknownOf(subject, [["HELLO"], ["CLIENT", "GETNAME"]]);
    if (refused.length === 0) {
      return [ok("HELLO and CLIENT are answered", "No proxy is between that filters them.")];
    }
    const diagnose = subject.settings.near ? warning : note;
    return [
      diagnose(
        `the server, or a proxy before it, ${subject.hangsUp ? "closes the connection on commands such as" : "has no"} ${refused.join(" and ")}`,
        "health() knows no version and no role, and a near cache can't listen: it keeps entries for maxStaleness at most.",
        "connect past the proxy, or leave the near cache out",
      ),
    ];
  },
};

/** The commands that don't reach the server. A user who may not send them is no reason. */
async function unknownOf(subject: Subject, commands: readonly Command[]): Promise<string[]> {
  const names = commands.map(([name]) => name);
  try {
    const replies = await subject.askAll(commands);
    const isUnknown = (reply: Reply = null): boolean =>
      reply instanceof ReplyError && reply.code !== "NOPERM" && refusedCommand(reply) !== undefined;
    return names.filter((_, i) => isUnknown(replies[i]));
  } catch (error) {
    if (error instanceof Skip) return names;
    throw error;
  }
}
