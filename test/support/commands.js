const FREE = ["cd", "git clone", "docker run", "node"];
/** Why a line of a shell block is nothing that a reader can run; undefined when it is. */
export function unknownCommand(line, { name, scripts, packages }) {
    const text = line
        .replace(/(^|\s)#.*$/, "")
        .replace(/^\$ /, "")
        .replace(/^(\w+=\S+\s+)+/, "")
        .trim();
    if (text === "" || FREE.some((start) => text.startsWith(`${start} `)))
        return undefined;
    const [program, verb, ...args] = text.split(/\s+/);
    if (program !== "npm")
        return `${text}: not one of npm, ${FREE.join(", ")}`;
    if (verb === "install" || verb === "i") {
        const strangers = args.filter((arg) => !arg.startsWith("-") && arg !== name && !packages.includes(arg));
        return strangers.length > 0 ? `${text}: ${strangers.join(", ")} has no part in this project` : undefined;
    }
    const script = verb === "run" ? args[0] : verb;
    return script !== undefined && script in scripts ? undefined : `${text}: package.json has no script "${script}"`;
}
