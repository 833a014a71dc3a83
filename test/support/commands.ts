/** The parts of package.json that documents refer to. */
export interface Project {
  readonly name: string;
  readonly scripts: Readonly<Record<string, string>>;
  /** Packages that a document may ask users to install. */
  readonly packages: readonly string[];
}

const FREE = ["cd", "git clone", "docker run", "node"];

/** The reason why a reader can't run a line of a shell block; undefined when it is runnable. */
export function unknownCommand(line: string, { name, scripts, packages }: Project): string | undefined {
  const text = line
    .replace(/(^|\s)#.*$/, "")
    .replace(/^\$ /, "")
    .replace(/^(\w+=\S+\s+)+/, "")
    .trim();
  if (text === "" || FREE.some((start) => text.startsWith(`${start} `))) return undefined;
  const [program, verb, ...args] = text.split(/\s+/);
  if (program !== "npm") return `${text}: not one of npm, ${FREE.join(", ")}`;
  if (verb === "install" || verb === "i") {
    const strangers = args.filter((arg) => !arg.startsWith("-") && arg !== name && !packages.includes(arg));
    return strangers.length > 0 ? `${text}: ${strangers.join(", ")} is not a package of this project` : undefined;
  }
  const script = verb === "run" ? args[0] : verb;
  return script !== undefined && script in scripts ? undefined : `${text}: package.json has no script "${script}"`;
}
