/** What a person has chosen, kept by the browser where it allows that. */

const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const PREFIX = "valkey-edge-cache:";

export function currentTheme(): Theme {
  const kept = read("theme");
  return THEMES.find((theme) => theme === kept) ?? "auto";
}

/** Applies the next of the themes, and returns it. */
export function nextTheme(): Theme {
  const theme = THEMES[(THEMES.indexOf(currentTheme()) + 1) % THEMES.length] ?? "auto";
  write("theme", theme);
  applyTheme(theme);
  return theme;
}

export function applyTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  schemes.dispatchEvent(new Event("change"));
}

const schemes = new EventTarget();

/** For what CSS doesn't paint. @returns ends the calls */
export function onSchemeChange(listener: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  for (const target of [schemes, system]) target.addEventListener("change", listener);
  return () => {
    for (const target of [schemes, system]) target.removeEventListener("change", listener);
  };
}

/** Single keys get in the way of speech input, so they can be switched off (WCAG 2.1.4). */
export function hasShortcuts(): boolean {
  return read("shortcuts") !== "off";
}

export function setShortcuts(on: boolean): void {
  write("shortcuts", on ? "on" : "off");
}

let unkept: Record<string, string> = {};

function read(name: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + name) ?? unkept[name];
  } catch {
    return unkept[name];
  }
}

function write(name: string, value: string): void {
  unkept = { ...unkept, [name]: value };
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Storage is refused: it holds until the page is closed.
  }
}
