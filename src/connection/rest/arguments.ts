import type { Argument, Command, Script } from "../../core/connection.js";
import { toBytes, toText } from "../../core/text.js";

/*
 * Requests are JSON, which has text and no bytes. Arguments that are UTF-8 are sent as text. A command with any other
 * argument is packed: each byte beyond printable ASCII becomes the character 256 code points above it, and the command runs
 * in a script that turns these characters back into bytes. Control characters are among them, as JSON would write each of
 * them with six. Random bytes grow by 64 % on the way, and compressed ones cost the server 6 ms for 100 kB.
 */

/** Turns packed text back into bytes: each such character is two bytes of UTF-8, which begin with 196 to 199. */
const UNPACK = `local byte = {}
for b = 0, 255 do byte[string.char(196 + math.floor(b / 64), 128 + b % 64)] = string.char(b) end
for _, list in ipairs({KEYS, ARGV}) do
  for i = 1, #list do list[i] = string.gsub(list[i], '[\\196-\\199][\\128-\\191]', byte) end
end
`;

/** Runs the command that its arguments are. `pcall` keeps the error's code. */
const RUN = `${UNPACK}return redis.pcall(unpack(ARGV))`;

/** How many characters are made at once, as a call has a limited number of arguments. */
const CHUNK = 8_192;

/** A command as JSON can carry it, which has the same reply. */
export function toJson(command: Command): readonly string[] {
  const texts = toTexts(command);
  if (texts) return texts;
  const [name, ...args] = command;
  if (name.toUpperCase() !== "EVAL") return ["EVAL", RUN, "0", ...command.map(pack)];
  const [lua = "", count = "", ...rest] = args;
  return [name, UNPACK + toText(lua), toText(count), ...rest.map(pack)];
}

/** A script with arguments as JSON can carry them. */
export function toJsonScript(script: Script, args: readonly Argument[]): { script: Script; args: readonly string[] } {
  const texts = toTexts(args);
  return texts ? { script, args: texts } : { script: unpacking(script), args: args.map(pack) };
}

const unpackingScripts = new WeakMap<Script, Script>();

/** The script, with packed arguments. It is made once, as scripts are known by their identity. */
function unpacking(script: Script): Script {
  const known = unpackingScripts.get(script) ?? { name: script.name, lua: UNPACK + script.lua };
  unpackingScripts.set(script, known);
  return known;
}

/** The arguments as text; `undefined` if one of them is not UTF-8. */
function toTexts(args: readonly Argument[]): readonly string[] | undefined {
  try {
    // Lone surrogates become U+FFFD, as in UTF-8. JSON would write them as they are, for each server to interpret.
    return args.map((arg) => (typeof arg === "string" ? arg.toWellFormed() : toText(arg)));
  } catch {
    return undefined;
  }
}

function pack(arg: Argument): string {
  const bytes = toBytes(arg);
  const units = new Uint16Array(bytes.length);
  for (let i = 0; i < units.length; i++) {
    const byte = bytes[i] ?? 0;
    units[i] = byte >= 32 && byte < 127 ? byte : 256 + byte;
  }
  let text = "";
  for (let start = 0; start < units.length; start += CHUNK)
    text += String.fromCharCode(...units.subarray(start, start + CHUNK));
  return text;
}
