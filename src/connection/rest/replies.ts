import type { Command, Reply } from "../../core/connection.js";
import { ConnectionError, ReplyError, show } from "../../core/errors.js";
import { toBytes, toText } from "../../core/text.js";
import { toReplyError, toShape } from "../resp2.js";

/**
 * The replies in a response; or the error with which the endpoint refused all commands.
 * @param name the endpoint, for messages
 * @throws {ConnectionError} when the endpoint can't be used, or the response has another form
 */
export function toReplies(
  name: string,
  commands: readonly Command[],
  { status, body }: { readonly status: number; readonly body: string },
): Reply[] | ReplyError {
  const answer = parse(body);
  const refusal = isRecord(answer) && typeof answer.error === "string" ? answer.error : undefined;
  if (status === 413) return new ReplyError("ERR", `the request is too large for ${name} (413); store smaller values`);
  if (status === 200 || status === 400) {
    if (refusal !== undefined) return toReplyError(refusal);
    const replies = Array.isArray(answer) ? answer.map((item, i) => toReply(item, commands[i] ?? [""])) : [];
    if (replies.length === commands.length && replies.every((reply) => reply !== undefined)) return replies;
  }
  throw new ConnectionError(`${name} ${problemOf(status)} (status ${status}: ${show(refusal ?? body)})`);
}

function problemOf(status: number): string {
  if (status === 401 || status === 403) return "refuses the token; check the option token of rest()";
  if (status === 429) return "limits requests; send fewer, or raise the limit of its plan";
  if (status >= 500) return "failed; check that it is running, and the server behind it";
  return "gave no replies; check that the location is an Upstash-compatible endpoint";
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // A page of a proxy, for example.
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The reply to a command; `undefined` when it is none. */
function toReply(item: unknown, command: Command): Reply | undefined {
  if (!isRecord(item)) return undefined;
  if (typeof item.error === "string") return toReplyError(item.error);
  const value = toValue(item.result, command);
  return value === undefined ? undefined : toShape(value, command[0]);
}

function toValue(value: unknown, command: Command): Reply | undefined {
  if (value === null || typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string") return toStringReply(value, command);
  if (!Array.isArray(value)) return isRecord(value) ? toReply(value, command) : undefined;
  const items = value.map((item) => toValue(item, command));
  return items.every((item) => item !== undefined) ? items : undefined;
}

/** Commands whose reply `OK` is a status. Others have read it. */
const ANSWERS_OK =
  /^(?:CLIENT|CONFIG|EVAL(?:SHA)?(?:_RO)?|FCALL(?:_RO)?|FLUSH(?:ALL|DB)|FUNCTION|HMSET|LSET|LTRIM|MSET|PFMERGE|P?SETEX|RENAME|RESTORE|SCRIPT|SELECT|SET|XGROUP)$/i;

/** A status or a bulk string. JSON doesn't distinguish them, so the command decides. */
function toStringReply(value: string, command: Command): Reply | undefined {
  // Upstash sends this one as it is. It is no base64, which has four characters or more.
  const bytes = value === "OK" ? toBytes(value) : fromBase64(value);
  const [name] = command;
  const isOk = bytes?.length === 2 && bytes[0] === 0x4f && bytes[1] === 0x4b && ANSWERS_OK.test(name);
  const isStatus = isOk || /^TYPE$/i.test(name) || (/^PING$/i.test(name) && command.length === 1);
  return bytes && isStatus ? toText(bytes) : bytes;
}

function fromBase64(text: string): Uint8Array | undefined {
  let characters: string;
  try {
    characters = atob(text);
  } catch {
    return undefined;
  }
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
