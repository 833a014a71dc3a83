import type { Argument, Command, Reply } from "../../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import { toText } from "../../core/text.js";
import type { Glide } from "./module.js";

/** Commands of so many parts are mostly keys: those are written together. */
const MANY_PARTS = 16;
/** In characters: what is longer is written part by part, as together all of it is in memory twice for a moment. */
const MOST_TOGETHER = 65_536;

/** GLIDE stores a `Uint8Array` as the text of its numbers unless it is a Buffer. */
export function toArguments(command: Command): Glide.GlideString[] {
  const together = command.length < MANY_PARTS ? undefined : toSlices(command);
  if (together) return together;
  const parts: Glide.GlideString[] = new Array(command.length);
  for (let i = 0; i < command.length; i++) {
    const part = command[i] as Argument;
    parts[i] =
      typeof part === "string" || Buffer.isBuffer(part)
        ? part
        : Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  }
  return parts;
}

/** Parts of one Buffer, where all is text of ASCII: GLIDE would copy each string twice, as made keys are joined ones. */
function toSlices(command: Command): Buffer[] | undefined {
  let text = "";
  for (const part of command) {
    if (typeof part !== "string" || text.length > MOST_TOGETHER) return undefined;
    text += part;
  }
  const bytes = Buffer.from(text);
  // Each character beyond ASCII takes more than one byte.
  if (bytes.length !== text.length) return undefined;
  const slices: Buffer[] = new Array(command.length);
  for (let i = 0, end = 0; i < command.length; i++) {
    const start = end;
    end += (command[i] as string).length;
    slices[i] = bytes.subarray(start, end);
  }
  return slices;
}

/** Whether a command answers with a status other than OK, which GLIDE hands over as bytes. */
function answersStatus(command: Command | undefined): boolean {
  return command?.[0] === "TYPE" || (command?.[0] === "PING" && command.length === 1);
}

/** GLIDE's reply in the port's shape: booleans as numbers, maps as arrays of pairs, status replies as strings. */
export function toReply(value: unknown, command?: Command): Reply {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (value instanceof Uint8Array) return answersStatus(command) ? toText(value) : value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (Array.isArray(value)) {
    if (command?.[0] === "MGET" || isPlain(value)) return value;
    return value.map((item) => (isPair(item) ? [toReply(item.key), toReply(item.value)] : toReply(item)));
  }
  if (value === undefined) return null;
  return new ReplyError("ERR", `a reply of an unknown kind, ${typeof value}`);
}

/** Whether nothing in an array needs translation, as in nearly all. */
function isPlain(items: readonly unknown[]): items is Reply[] {
  for (const item of items) {
    if (typeof item !== "string" && item !== null && !(item instanceof Uint8Array)) return false;
  }
  return true;
}

function isPair(item: unknown): item is { key: unknown; value: unknown } {
  return typeof item === "object" && item !== null && Object.hasOwn(item, "key") && Object.hasOwn(item, "value");
}

/** GLIDE rewrites some of the server's error codes; these are the server's own. */
const CODES: Readonly<Record<string, string>> = {
  ResponseError: "ERR",
  ExecAbortError: "EXECABORT",
  BusyLoadingError: "LOADING",
  NoScriptError: "NOSCRIPT",
  Moved: "MOVED",
  Ask: "ASK",
  TryAgain: "TRYAGAIN",
  ClusterDown: "CLUSTERDOWN",
  CrossSlot: "CROSSSLOT",
  MasterDown: "MASTERDOWN",
  ReadOnly: "READONLY",
  PermissionDenied: "NOPERM",
  NotBusy: "NOTBUSY",
};
const PREFIX = /^An error was signalled by the server:? ?-? ?/;
const CODED = /^([A-Za-z]+):?\s*(.*)$/s;
/** What GLIDE refuses by itself, before any server is asked, has the kind behind the message. */
const OWN = /^(.*)- (CrossSlot)$/s;

/** What went wrong, in this library's terms. GLIDE's errors have no codes, so their classes and messages tell. */
export function fromGlide(error: unknown, name: string): ReplyError | ConnectionError {
  const kind = error instanceof Error ? error.constructor.name : "";
  const message = error instanceof Error ? error.message : String(error);
  if (kind === "TimeoutError")
    return new TimeoutError(`${name} did not answer in time; see whether it is reachable, or raise commandTimeout`, {
      cause: error,
    });
  if (kind === "RequestError" || kind === "ExecAbortError" || kind === "Error") {
    const reply = toReplyError(message, error);
    if (reply) return reply;
  }
  return new ConnectionError(`the connection to ${name} was lost: ${message}; see whether it runs`, { cause: error });
}

function toReplyError(message: string, cause: unknown): ReplyError | undefined {
  if (message.startsWith("Received crossed slots")) return new ReplyError("CROSSSLOT", message, { cause });
  const [, own, kind] = OWN.exec(message) ?? [];
  const [, word = "", detail = ""] = CODED.exec(kind ? `${kind}: ${own}` : message.replace(PREFIX, "")) ?? [];
  const code = Object.hasOwn(CODES, word) ? CODES[word] : /^[A-Z]{2,}$/.test(word) ? word : undefined;
  return code === undefined ? undefined : new ReplyError(code, detail.trim(), { cause });
}
