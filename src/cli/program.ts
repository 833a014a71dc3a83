import { Command, CommanderError, Option } from "commander";
import { LIBRARY } from "../connection/client-info.js";
import {
  CACHE_OPTIONS,
  COMMANDS,
  CONFIG_OPTIONS,
  type CommandSpec,
  type OptionSpec,
  OUTPUT_OPTIONS,
} from "./commands.js";
import { EXIT, EXIT_CODES, Exit } from "./exit-codes.js";
import { Options } from "./options.js";
import type { Output } from "./terminal/output.js";
import { pad, widthOf, wrap } from "./terminal/width.js";

/** A command line that asks for a command. */
export interface Parsed {
  readonly command: CommandSpec;
  readonly args: readonly string[];
  readonly options: Options;
}

/** What is to be written, and nothing else to be done: help, or the version. */
export interface Told {
  readonly text: string;
}

const INTRODUCTION = `Looks into a cache of ${LIBRARY.name}: entries as the library reads them, and what it would do with them.`;
const PASSWORDS =
  "Passwords come from the URL, or from VALKEY_PASSWORD, VALKEY_SENTINEL_PASSWORD and VALKEY_TOKEN (of https:// endpoints), and are never shown.";

/**
 * Parses a command line.
 * @param argv without the program
 * @param out decides on the width of help and on its colours
 * @throws {Exit} on wrong commands, options and arguments, with what was probably meant
 */
export function parse(argv: readonly string[], out: Output): Parsed | Told {
  let text = "";
  let parsed: Parsed | undefined;
  const { style } = out;
  const columns = Math.min(out.columns, 100) || 80;
  const width = out.isTerminal ? columns : 80;

  const prepare = (command: Command): Command =>
    command
      .exitOverride()
      .configureOutput({
        writeOut: (more) => {
          text += more;
        },
        // The message is thrown, too.
        writeErr: () => {},
        getOutHelpWidth: () => width,
        getOutHasColors: () => true,
      })
      .configureHelp({
        showGlobalOptions: true,
        styleTitle: style.bold,
        boxWrap: (paragraphs, size) => wrapAll(paragraphs, size),
        formatItem: (term, termWidth, description) => item(term, termWidth, description, width),
      });

  const program = prepare(new Command(LIBRARY.name))
    .description(INTRODUCTION)
    .version(LIBRARY.version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help of a command")
    .usage("<command> [options]");
  addOptions(program, "Cache:", CACHE_OPTIONS);
  addOptions(program, "Configuration:", CONFIG_OPTIONS);
  addOptions(program, "Output:", OUTPUT_OPTIONS);
  const example = (line: string) => `  $ ${LIBRARY.name} ${line}`;
  const section = (title: string, lines: readonly string[]) => `\n${style.bold(title)}\n${lines.join("\n")}`;
  program.addHelpText("after", () =>
    [
      section(
        "Exit codes:",
        EXIT_CODES.map(([code, meaning]) => item(String(code), 3, meaning, width)),
      ),
      section("Examples:", [
        ...wrapAll(example("doctor --url valkey://localhost:6379"), width).split("\n"),
        ...wrapAll(example("why user:1 --config ./cache.js"), width).split("\n"),
        ...wrapAll(example("keys 'user:*' --json"), width).split("\n"),
      ]),
      `\n${wrapAll(PASSWORDS, width)}`,
    ].join("\n"),
  );

  for (const spec of COMMANDS) {
    const command = prepare(program.command(spec.name)).summary(spec.summary).helpOption("-h, --help", "show help");
    command.description([sentence(spec.summary), spec.description].filter(Boolean).join(" "));
    if (spec.args !== undefined) command.argument(spec.args, spec.argsDescription);
    addOptions(command, "Options:", spec.options);
    command.addHelpText("after", () =>
      section(
        "Examples:",
        spec.examples.flatMap((line) => wrapAll(example(line), width).split("\n")),
      ),
    );
    command.action((...given: unknown[]) => {
      const values: Record<string, unknown> = command.optsWithGlobals();
      parsed = { command: spec, args: given.slice(0, -2).flatMap(toTexts), options: new Options(values) };
    });
  }

  try {
    program.parse(argv.length === 0 ? ["--help"] : [...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // The parser doesn't break the line of the usage.
    if (error.exitCode === 0) return { text: wrapAll(text, width) };
    throw new Exit(EXIT.usage, toMessage(error, argv));
  }
  if (parsed) return parsed;
  throw new TypeError("the parser has called no action");
}

function addOptions(command: Command, group: string, specs: readonly OptionSpec[]): void {
  command.optionsGroup(group);
  for (const { flags, description, parse, choices } of specs) {
    const option = new Option(flags, description);
    if (choices) option.choices([...choices]);
    if (parse) option.argParser(parse);
    command.addOption(option);
  }
}

function toTexts(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  return typeof value === "string" ? [value] : [];
}

/** The parser's message in our form, with a remedy. */
function toMessage({ code, message }: CommanderError, argv: readonly string[]): string {
  if (code === "commander.help") return `no command is given; see ${LIBRARY.name} --help`;
  const plain = message.replace(/^error: /, "").replace(/\n\(Did you mean (.*)\?\)$/s, "; did you mean $1?");
  if (plain.endsWith("?")) return plain;
  const command = COMMANDS.find(({ name }) => argv.includes(name));
  return `${plain.replace(/\.$/, "")}; see ${LIBRARY.name} ${command ? `${command.name} ` : ""}--help`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function wrapAll(text: string, width: number): string {
  return text
    .split("\n")
    .flatMap((line) => wrap(line, width))
    .join("\n");
}

/** A term and its description beside it, or below it where the line is too short for both. */
function item(term: string, termWidth: number, description: string, width: number): string {
  const indent = 2;
  const left = Math.min(termWidth, 28);
  const room = width - indent - left - 2;
  if (description === "") return " ".repeat(indent) + term;
  if (room < 30 || widthOf(term) > left) {
    const below = width < 60 ? indent + 2 : indent + left + 2;
    const lines = wrap(description, width - below).map((line) => " ".repeat(below) + line);
    return [...wrap(term, width - indent).map((line) => " ".repeat(indent) + line), ...lines].join("\n");
  }
  const [first = "", ...more] = wrap(description, room);
  return [
    `${" ".repeat(indent)}${pad(term, left)}  ${first}`,
    ...more.map((line) => " ".repeat(indent + left + 2) + line),
  ].join("\n");
}
