import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import { notify } from "../core/async.js";
import { show } from "../core/errors.js";
import type { Progress, PurgeTarget } from "../inspect/port.js";
import { previewPurge, purge } from "../inspect/purge.js";
import type { WorkLine } from "./api.js";
import { lines, toLine } from "./json.js";
import type { InspectorChange, InspectorSettings } from "./options.js";
import { purgeRequestOf } from "./purge-request.js";
import { messageOf } from "./reads.js";

const NOTHING: Progress = { scanned: 0, total: undefined, matched: 0, bytes: 0 };

/** A purge or its preview: its progress as lines, and its outcome as the last one. It ends when the client leaves. */
export async function work(
  c: Context,
  cache: Cache,
  settings: InspectorSettings,
  kind: "purge" | "preview",
): Promise<Response> {
  const request = await purgeRequestOf(c, cache);
  const user = kind === "purge" ? await settings.user(c) : undefined;
  const left = new AbortController();
  const leave = (): void => left.abort(new Error("the client has left"));
  c.req.raw.signal.addEventListener("abort", leave, { once: true });
  const body = new ReadableStream<Uint8Array>(
    {
      async start(controller) {
        let progress = NOTHING;
        const send = (line: WorkLine): void => {
          if (!left.signal.aborted) controller.enqueue(toLine(line));
        };
        const onProgress = (now: Progress): void => {
          progress = now;
          // A client that reads slowly misses lines: each has all that those before it had.
          if ((controller.desiredSize ?? 0) > 0) send({ progress });
        };
        const options = { signal: left.signal, onProgress };
        let error: unknown;
        try {
          if (kind === "preview") send({ preview: await previewPurge(cache, request.target, options) });
          else {
            progress = await purge(cache, request.target, { ...options, soft: request.soft, free: request.free });
            send({ done: progress });
          }
        } catch (cause) {
          error = cause;
          send({ error: messageOf(cause) });
        }
        if (kind === "purge") {
          const outcome = error === undefined ? "done" : left.signal.aborted ? "aborted" : "failed";
          const { target, soft, free } = request;
          record(cache, settings, {
            target,
            soft,
            free,
            user,
            progress,
            outcome,
            error: left.signal.aborted ? undefined : error,
          });
        }
        if (!left.signal.aborted) controller.close();
      },
      cancel: leave,
    },
    { highWaterMark: 4 },
  );
  return lines(c, body);
}

/** Logs a change, and calls `onChange`. */
function record(cache: Cache, { onChange }: InspectorSettings, change: InspectorChange): void {
  const { logger } = cache.parts.settings;
  const { target, soft, free, user, progress, outcome, error } = change;
  const how = [soft ? "soft" : "", free ? "free" : ""].filter((word) => word !== "").join(", ");
  const text = [
    `valkey-edge-cache: inspector: purge by ${describe(target)}`,
    how === "" ? "" : ` (${how})`,
    user === undefined ? "" : ` by ${show(user)}`,
    `: ${outcome}, ${progress.matched} of ${progress.scanned} keys`,
    error === undefined ? "" : `; ${messageOf(error)}`,
  ].join("");
  if (logger) {
    notify(
      () => logger.warn(text),
      () => {},
    );
  }
  notify(onChange, (cause) => cache.report(cause, "inspector", ""), change);
}

/** The target as one line, whatever is in it. */
function describe(target: PurgeTarget): string {
  const { by, ...what } = target;
  return `${by} ${JSON.stringify(what)}`;
}
