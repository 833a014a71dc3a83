/** Colours and weights of text; plain text where the stream shows none. */
export type Style = Readonly<Record<StyleName, (text: string) => string>>;

export type StyleName = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "cyan";

const CODES: Readonly<Record<StyleName, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
};

/**
 * Whether a stream gets colours. `FORCE_COLOR` comes first, as in Node itself, then `NO_COLOR` (https://no-color.org), and then
 * whether it is a terminal that knows them.
 */
export function hasColors(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  const { FORCE_COLOR: force, NO_COLOR: none, TERM: term } = env;
  if (force !== undefined) return force !== "0" && force !== "false";
  if (none !== undefined && none !== "") return false;
  return isTerminal && term !== "dumb";
}

export function styleOf(isColored: boolean): Style {
  const style = (name: StyleName) => {
    const [on, off] = CODES[name];
    return (text: string) => (isColored && text !== "" ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  };
  const { bold, dim, red, green, yellow, blue, cyan } = {
    bold: style("bold"),
    dim: style("dim"),
    red: style("red"),
    green: style("green"),
    yellow: style("yellow"),
    blue: style("blue"),
    cyan: style("cyan"),
  };
  return { bold, dim, red, green, yellow, blue, cyan };
}
