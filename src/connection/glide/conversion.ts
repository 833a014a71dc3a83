import type { Command, Reply } from "../../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import { toText } from "../../core/text.js";
import type { Glide } from "./module.js";

/** Commands with this number of parts consist mostly of keys, which are encoded in one Buffer. */
const MANY_PARTS = 16;
/** In characters. Longer commands are encoded part by part, as one Buffer would double their memory for a moment. */
const MAX_TOGETHER = 65_536;

/** The arguments in GLIDE's form. GLIDE stores a `Uint8Array` that is not a Buffer as the text of its numbers. */
export function toArguments(command: Command): Glide.GlideString[] {
  const together = command.length < MANY_PARTS ? undefined : toSlices(command);
  if (together) return together;
  const parts: Glide.GlideString[] = [];
  for (const part of command) {
    const isReady = typeof part === "string" || Buffer.isBuffer(part);
    parts.push(isReady ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  }
  return parts;
}

/** Slices of one Buffer, if all parts are ASCII strings. GLIDE would copy each string twice, as stored keys are concatenated. */
function toSlices(command: Command): Buffer[] | undefined {
  let text = "";
  for (const part of command) {
    if (typeof part !== "string" || text.length > MAX_TOGETHER) return undefined;
    text += part;
  }
  const bytes = Buffer.from(text);
  // Characters beyond ASCII take more than one byte.
  if (bytes.length !== text.length) return undefined;
  const slices: Buffer[] = [];
  let start = 0;
  for (const { length } of command) {
    slices.push(bytes.subarray(start, start + length));
    start += length;
  }
  return slices;
}

/** Whether a command has a status reply other than OK, which GLIDE returns as bytes. */
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
  return new ReplyError("ERR", `a reply of an unexpected type, ${typeof value}`);
}

/** Whether no item of an array needs conversion, as in nearly all arrays. */
function isPlain(items: readonly unknown[]): items is Reply[] {
  for (const item of items) {
    if (typeof item !== "string" && item !== null && !(item instanceof Uint8Array)) return false;
  }
  return true;
}

function isPair(item: unknown): item is { key: unknown; value: unknown } {
  return typeof item === "object" && item !== null && Object.hasOwn(item, "key") && Object.hasOwn(item, "value");
}

/** The server's error codes, by the names that GLIDE replaces them with. */
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
/** Errors that GLIDE raises by itself, without asking a server, have the kind after the message. */
const OWN = /^(.*)- (CrossSlot)$/s;

/** Converts an error of GLIDE. Its errors have no codes, so their classes and messages decide. */
export function fromGlide(error: unknown, name: string): ReplyError | ConnectionError {
  const kind = error instanceof Error ? error.constructor.name : "";
  const message = error instanceof Error ? error.message : String(error);
  if (kind === "TimeoutError")
    return new TimeoutError(`${name} did not answer in time; check that it is reachable, or raise commandTimeout`, {
      cause: error,
    });
  if (kind === "RequestError" || kind === "ExecAbortError" || kind === "Error") {
    const reply = toReplyError(message, error);
    if (reply) return reply;
  }
  return new ConnectionError(`the connection to ${name} was lost: ${message}; check that it is running`, {
    cause: error,
  });
}

function toReplyError(message: string, cause: unknown): ReplyError | undefined {
  if (message.startsWith("Received crossed slots")) return new ReplyError("CROSSSLOT", message, { cause });
  const [, own, kind] = OWN.exec(message) ?? [];
  const [, word = "", detail = ""] = CODED.exec(kind ? `${kind}: ${own}` : message.replace(PREFIX, "")) ?? [];
  const code = Object.hasOwn(CODES, word) ? CODES[word] : /^[A-Z]{2,}$/.test(word) ? word : undefined;
  return code === undefined ? undefined : new ReplyError(code, detail.trim(), { cause });
}
