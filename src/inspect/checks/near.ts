import { ReplyError } from "../../core/errors.js";
import { systemClock } from "../../core/time.js";
import type { Check } from "./check.js";
import { note, ok, Skip, toFoundAndRemedy, warning } from "./finding.js";
import type { Subject } from "./subject.js";

/** A near cache begins to listen a moment after the first command. */
const LISTENS_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 20;

/** Whether the near cache hears of changes, and by what; without one, whether it could. */
export const tracking: Check = {
  name: "tracking",
  needsServer: true,
  async run(subject) {
    const { near, place } = subject.settings;
    if (!near) return [await withoutNearCache(subject)];
    const startMs = performance.now();
    while (!near.health().listening && near.health().invalidation !== "ttl") {
      if (performance.now() - startMs > LISTENS_WITHIN_MS) break;
      await systemClock.sleep(LOOK_EVERY_MS);
    }
    const { invalidation, listening, entries, size, lastError } = near.health();
    const [why, remedy] = lastError ? toFoundAndRemedy(lastError.message, "") : ["", ""];
    const found = `near cache with ${entries} entries (${size} bytes), invalidation "${invalidation}"`;
    if (invalidation === "tracking" && listening) {
      return [ok(`${found}, and it listens`, "The server sends a notification of every change, by any client.")];
    }
    if (invalidation === "tracking") {
      return [
        warning(
          `${found}, and it does not listen${why === "" ? "" : `: ${why}`}`,
          "Nothing is answered by this process: every read goes to the server.",
          remedy ||
            "check that the server takes one more connection from this process, and allow +client|tracking +subscribe",
        ),
      ];
    }
    if (lastError) {
      return [
        warning(
          `${found}: ${why}`,
          invalidation === "channel"
            ? "Only writes through near caches are notified: entries stay for maxStaleness at most."
            : "No change is notified: entries stay for maxStaleness at most.",
          remedy || "use a server or a proxy that has CLIENT TRACKING",
        ),
      ];
    }
    if (invalidation === "channel") {
      return [
        note(
          `${found}, as its option says${listening ? "" : ", and it does not listen"}`,
          "Only writes through near caches are notified: entries stay for maxStaleness at most.",
          'leave out option "invalidation" to use tracking where the server has it',
        ),
      ];
    }
    return [
      note(
        found,
        `${place.scheme === "https" || place.scheme === "http" ? "Nothing can listen over HTTP" : "No change is notified"}: entries stay for maxStaleness at most.`,
        "use a host and a connection that can listen, where fewer round trips matter",
      ),
    ];
  },
};

async function withoutNearCache(subject: Subject): Promise<ReturnType<typeof ok>> {
  // An argument that it doesn't have: only the refusal of the command itself matters.
  const [reply = null] = await subject.askAll([["CLIENT", "TRACKING", "?"]]);
  const isRefused =
    reply instanceof ReplyError && (reply.code === "NOPERM" || /unknown (?:sub)?command/i.test(reply.detail));
  if (isRefused) {
    return ok("no near cache, and CLIENT TRACKING is refused", "Every read goes to the server.");
  }
  return ok(
    "no near cache, and the server has CLIENT TRACKING",
    "Every read goes to the server. nearCache() could answer some of them.",
  );
}

/** Whether scripts can be run. */
export const scripts: Check = {
  name: "scripts",
  needsServer: true,
  async run(subject) {
    try {
      await subject.ask(["EVAL", "return 1", "0"]);
      return [ok("EVAL is allowed", "Locks, leases, counters and purges are atomic.")];
    } catch (error) {
      if (!(error instanceof Skip)) throw error;
      if (subject.hangsUp) throw error;
      return [
        warning(
          `scripts can't be run: ${error.message}`,
          "add, incr, locks, touch, purges and the HTTP cache fail; herd() goes without leases, so each process loads by itself.",
          error.remedy.replace("to have it checked, ", "") || "use a server or a proxy that has EVAL",
        ),
      ];
    }
  },
};
