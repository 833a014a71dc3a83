import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

/** A command of a block `console`, and the lines that it prints. */
export interface ConsoleStep {
  readonly command: string;
  readonly printed: readonly string[];
}

/** The commands of a block whose lines with commands begin with `$ `. */
export function stepsOf(code: string): ConsoleStep[] {
  return code
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [command = "", ...printed] = step.trimEnd().split("\n");
      return { command, printed };
    });
}

const COMMAND = /^curl (?<args>.+?)(?: \| grep -iE '(?<pattern>[^']+)')?$/;
const FLAGS = new Set(["-s", "-i", "-si"]);

/**
 * The lines that a `curl` command of a document prints, without a shell and without curl, which a machine may not have.
 * @param replaced texts of the command, such as its address, and others
 * @throws for commands and options that it doesn't know
 */
export async function curl(command: string, replaced: Readonly<Record<string, string>> = {}): Promise<string[]> {
  let line = command;
  for (const [own, other] of Object.entries(replaced)) line = line.replaceAll(own, other);
  const { args = "", pattern = "" } = COMMAND.exec(line)?.groups ?? {};
  const words = [...args.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
  let [method, url, body, showsHead] = ["GET", "", "", false];
  const headers: Record<string, string> = { accept: "*/*", "user-agent": "curl" };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (FLAGS.has(word)) showsHead ||= word.includes("i");
    else if (word === "-X") method = words[++at] ?? "";
    else if (word === "-H") {
      const [name = "", value = ""] = (words[++at] ?? "").split(": ");
      headers[name] = value;
    } else if (word === "--json") {
      body = words[++at] ?? "";
      Object.assign(headers, { "content-type": "application/json", accept: "application/json" });
    } else if (word.startsWith("http://")) url = word;
    else throw new Error(`${command}: ${word} is not known`);
  }
  if (url === "") throw new Error(`${command}: not a curl command with a URL`);
  const shown = await answer(request(url, { method, headers, agent: false }).end(body), showsHead);
  const lines = shown.split(/\r?\n/).filter((text) => new RegExp(pattern, "i").test(text));
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

async function answer(asked: ReturnType<typeof request>, showsHead: boolean): Promise<string> {
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const { rawHeaders, httpVersion, statusCode, statusMessage } = response;
  const head = [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`];
  for (let at = 0; at < rawHeaders.length; at += 2) head.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  const parts: string[] = showsHead ? [...head, ""] : [];
  return [...parts, Buffer.concat(await response.toArray()).toString()].join("\n");
}
