/** A place in the inspector: the part of the URL behind `#`, such as `#/keys?pattern=user:*`. */
export interface Route {
  readonly view: string;
  readonly parameters: URLSearchParams;
}

export type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** The address of a view, for links and for `open`. Empty parameters are left out. */
export function href(view: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== "") query.append(name, String(one));
  }
  return `#/${view}${query.size > 0 ? `?${query}` : ""}`;
}

export function entryHref(storedKey: string): string {
  return href("entry", { key: storedKey });
}

export function currentRoute(): Route {
  const [path = "", query = ""] = split(location.hash.slice(1), "?");
  return { view: path.replace(/^\/+/, "") || "overview", parameters: new URLSearchParams(query) };
}

export function open(view: string, parameters: Parameters = {}): void {
  location.hash = href(view, parameters);
}

function split(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index === -1 ? [text, ""] : [text.slice(0, index), text.slice(index + 1)];
}
