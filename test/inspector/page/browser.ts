import type { Browser, Page } from "playwright-core";

export interface Opened {
  readonly page: Page;
  /** What no page may cause: errors, violations of its policy, dialogs, requests to other hosts. */
  readonly problems: string[];
}

export interface OpenOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  readonly reducedMotion?: boolean;
  /** Statuses of 400 and more, which browsers write to the console, are part of the test. */
  readonly allowsFailures?: boolean;
}

/** Every view, as the part of the address behind `#/`. */
export const VIEWS = [
  "overview",
  "herd",
  "hottest",
  "keys",
  "entry?key=shop%3A1%3Aproduct%3A8812",
  "purge?by=tag&tags=catalogue",
  "health",
  "events",
];

/** Opens a tab of its own context, whose storage is empty. */
export async function openTab(browser: Browser, options: OpenOptions = {}): Promise<Opened> {
  const { width = 1_280, height = 800, scheme = "light", reducedMotion = false, allowsFailures = false } = options;
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: reducedMotion ? "reduce" : "no-preference",
  });
  // So that a failed wait says for what.
  page.setDefaultTimeout(25_000);
  const problems: string[] = [];
  page.on("console", (message) => {
    if (allowsFailures && /Failed to load resource/.test(message.text())) return;
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("dialog", (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol !== "data:" && hostname !== "127.0.0.1") problems.push(`a request to ${request.url()}`);
  });
  return { page, problems };
}
