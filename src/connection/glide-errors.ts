import { ConnectionError, ReplyError, TimeoutError } from "../core/errors.js";

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
