/** A header field line: its name in lower case, its value without surrounding white space. */
export type Field = readonly [name: string, value: string];

/** A message's header fields, in the order they came. A name may come more than once. Plain data, safe to store. */
export type Fields = readonly Field[];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters except the horizontal tab. RFC 9110 §5.5. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** Takes the fields of a web `Headers`, or of any list of pairs. */
export function toFields(headers: Iterable<readonly [string, string]>): Fields {
  return Array.from(headers, ([name, value]) => [name.toLowerCase(), trim(value)] as const);
}

/** All values of a field, its lines joined as RFC 9110 §5.3 allows; `undefined` when it is absent, `""` when it is empty. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  let joined: string | undefined;
  for (const [each, value] of fields) {
    if (each === name) joined = joined === undefined ? value : `${joined}, ${value}`;
  }
  return joined;
}

export function hasField(fields: Fields, name: string): boolean {
  return fields.some(([each]) => each === name);
}

export function withoutFields(fields: Fields, names: ReadonlySet<string>): Fields {
  return fields.filter(([name]) => !names.has(name));
}

/** One line with `value` in the place of all lines of that name. */
export function withField(fields: Fields, name: string, value: string): Fields {
  return [...fields.filter(([each]) => each !== name), [name, value]];
}

/** The members of a comma-separated list, trimmed, without the empty ones. A comma in a quoted string separates nothing. RFC 9110 §5.6.1. */
export function listMembers(value: string): string[] {
  return splitOutsideQuotes(value).filter((member) => member !== "");
}

/** As `listMembers`, with empty members kept: for fields whose syntax is not known to be a list. */
export function splitOutsideQuotes(value: string): string[] {
  const members: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    if (quoted && character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (character === "," && !quoted) {
      members.push(trim(value.slice(start, at)));
      start = at + 1;
    }
  }
  members.push(trim(value.slice(start)));
  return members;
}

/** Whether a quoted string in `value` never ends, so that what belongs to it is unknown. */
export function hasOpenQuote(value: string): boolean {
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    if (quoted && value[at] === "\\") at++;
    else if (value[at] === '"') quoted = !quoted;
  }
  return quoted;
}

/** RFC 9110 §5.6.2. Field names and directive names are tokens. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}

/** Without optional white space (space and tab, RFC 9110 §5.6.3) at both ends. */
export function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}

/** What the policy looks at in a request. */
export interface RequestHead {
  /** As sent: methods are case-sensitive. */
  readonly method: string;
  /** The target URI, absolute. */
  readonly url: string;
  readonly fields: Fields;
}

/** What the policy looks at in a response. */
export interface ResponseHead {
  readonly status: number;
  readonly fields: Fields;
  /**
   * What middleware outside of the cache had set before the origin was asked. What it says of caching counts like the
   * response's own fields; none of it is stored.
   */
  readonly preset?: Fields | undefined;
}

/** When a response was asked for and when its header arrived, in milliseconds since the epoch. */
export interface Timing {
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

/** Whether a list has a name; an entry of the list may end in `*`. */
export function isListed(name: string, listed: readonly string[]): boolean {
  return listed.some((entry) => (entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name === entry));
}
