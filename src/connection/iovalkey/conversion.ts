import type { Command, Reply } from "../../core/connection.js";
import { ReplyError, show } from "../../core/errors.js";
import { toReplyError } from "../resp2.js";

/** In characters. Longer text is not copied together with other text. */
const MAX_JOINED_LENGTH = 16_384;

/** Half a command on the wire would end the connection. @throws TypeError on parts that are neither text nor bytes */
export function checkParts(commands: readonly Command[]): void {
  for (const command of commands) {
    for (const part of command) {
      if (typeof part === "string" || ArrayBuffer.isView(part)) continue;
      throw new TypeError(`${command[0]}: ${show(part)} is no argument of a command; give a string or bytes`);
    }
  }
}

/** Appends a command as the protocol has it: text, and bytes as they are. Short text in a row is one string. */
export function appendCommand(chunks: (string | Buffer)[], command: Command): void {
  const last = chunks.at(-1);
  let text = `*${command.length}\r\n`;
  if (typeof last === "string" && last.length < MAX_JOINED_LENGTH) text = chunks.pop() + text;
  for (const part of command) {
    const isText = typeof part === "string";
    text += `$${isText ? Buffer.byteLength(part) : part.byteLength}\r\n`;
    if (isText && part.length < MAX_JOINED_LENGTH) text += `${part}\r\n`;
    else {
      chunks.push(text, isText ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength));
      text = "\r\n";
    }
  }
  chunks.push(text);
}

const [PLUS, CR, LF] = [0x2b, 0x0d, 0x0a] as const;
const MAX_STATUS_LENGTH = 64;

/**
 * Converts a reply of iovalkey: status replies become strings, errors stay in their place. Maps are still flat.
 * @param text whether bulk strings become strings, too, where they are UTF-8
 */
export function toReply(value: unknown, text: boolean): Reply {
  if (value === null || typeof value === "number") return value;
  if (Buffer.isBuffer(value)) return (text ? utf8(value) : undefined) ?? status(value) ?? value;
  if (Array.isArray(value)) return value.map((one) => toReply(one, text));
  // Without a cause, as iovalkey's error contains the command's arguments, passwords included.
  if (value instanceof Error) return toReplyError(value.message);
  return new ReplyError("ERR", `a reply of an unexpected type, ${typeof value}`);
}

/** Faster than a TextDecoder. Bytes that are not UTF-8 become U+FFFD, and text with that character stays bytes as well. */
function utf8(bytes: Buffer): string | undefined {
  const text = bytes.toString();
  return text.includes("\ufffd") ? undefined : text;
}

/** All bytes of the received data that the last status reply was in. */
let received: Uint8Array = new Uint8Array();

/**
 * The text of a status reply. iovalkey returns it as bytes, like a bulk string. Both are views of the received data, where
 * a status stands between `+` and CR LF. A bulk string that arrived in several pieces is a view of other memory. Even if
 * that looks like a status, the string is short printable text with the same meaning.
 */
function status(bytes: Buffer): string | undefined {
  const { buffer, byteOffset: start, length } = bytes;
  if (length > MAX_STATUS_LENGTH) return undefined;
  if (received.buffer !== buffer) received = new Uint8Array(buffer);
  const end = start + length;
  if (received[start - 1] !== PLUS || received[end] !== CR || received[end + 1] !== LF) return undefined;
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? bytes.toString() : undefined;
}
