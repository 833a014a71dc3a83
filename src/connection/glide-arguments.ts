import type { Argument, Command } from "../core/command.js";
import type { Glide } from "./glide-module.js";

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
