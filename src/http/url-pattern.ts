import * as polyfill from "#urlpattern";

/** The part of the web's URLPattern that routes need. */
export interface Pattern {
  exec(url: string): Readonly<Record<"hostname" | "pathname" | "search", Match>> | null;
}

interface Match {
  readonly groups: Readonly<Record<string, string | undefined>>;
}

type PatternClass = new (pattern: string | { readonly pathname: string }) => Pattern;

/** The runtime's own, or else that of `urlpattern-polyfill`: Node has one from 23.8 on. https://urlpattern.spec.whatwg.org */
const own: unknown = Reflect.get(globalThis, "URLPattern");
const URLPattern = (own ?? polyfill.URLPattern) as PatternClass;

/**
 * @param text a path such as `"/products/:id"`, of any host, or a pattern of whole URLs such as `"https://api.example/*"`
 * @throws TypeError on a text that is no pattern
 */
export function urlPattern(text: string): Pattern {
  return new URLPattern(text.startsWith("/") ? { pathname: text } : text);
}
