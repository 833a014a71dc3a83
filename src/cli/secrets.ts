/** Shorter ones occur in any text by chance, and hiding them there would show where they occur. */
const SHORTEST = 4;
const HIDDEN = "(hidden)";

/** What a URL has between its scheme and its host. The last `@` counts, as a password that was not encoded may have one. */
const IN_URL = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s"'`]*@/gi;
/** An unknown option with a value, as the parser repeats it. */
const OPTION_VALUE = /(option '--?[^\s'=]+)=[^']*'/g;

/** Removes passwords from messages: those of the URLs and variables that were given, and whatever stands where one would. */
export class Secrets {
  readonly #texts = new Set<string>();

  /** @param values passwords and tokens */
  constructor(values: Iterable<string | undefined> = []) {
    for (const value of values) this.#add(value);
  }

  /** Adds the user info of each URL in a text, as it is and decoded. */
  addUrls(text: string | undefined): void {
    for (const part of (text ?? "").split(/,(?=\s*[a-z][a-z0-9+.-]*:\/\/)/i)) {
      const rest = part.slice(part.indexOf("://") + 3);
      const info = part.includes("://") ? rest.slice(0, Math.max(0, rest.lastIndexOf("@"))) : "";
      this.#add(info.slice(info.indexOf(":") + 1));
    }
  }

  hide(text: string): string {
    let shown = text.replace(IN_URL, `$1${HIDDEN}@`).replace(OPTION_VALUE, "$1'");
    // The longest first, so that no rest of one stays behind.
    for (const secret of [...this.#texts].sort((a, b) => b.length - a.length)) shown = shown.replaceAll(secret, HIDDEN);
    return shown;
  }

  #add(value: string | undefined): void {
    if (value === undefined || value.length < SHORTEST) return;
    for (const form of [value, decoded(value), encodeURIComponent(value)]) {
      if (form.length >= SHORTEST) this.#texts.add(form);
      // As JSON and as `printable` show it.
      this.#texts.add(JSON.stringify(form).slice(1, -1));
    }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
