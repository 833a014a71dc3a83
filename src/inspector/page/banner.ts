import { h } from "./dom.js";
import type { Feed } from "./feed.js";
import { duration } from "./format.js";
import { button } from "./parts.js";
import { data } from "./text.js";

export interface Banner {
  /** Banners of one key are the same but for their countdown. */
  readonly key: string;
  readonly text: string;
  readonly countdown: string;
  readonly element: HTMLElement;
}

/** For how long the page says that the service was started anew. */
const RESTART_SHOWN_MS = 15_000;

/** What is to be said above every view: the worst first, and nothing while all is well. */
export function banner(feed: Feed): Banner | undefined {
  const { connection, live } = feed;
  if (connection.state === "refused") {
    const title = connection.status === 401 ? "You are not logged in" : "This inspector refuses you";
    const text = `The application's authorize has refused this browser (${connection.status}). Log in to the application with an account that may look into its cache, then try again.`;
    return bannerOf({ key: `refused ${connection.status}`, tone: "bad", title, text, retry: feed });
  }
  if (connection.state === "waiting") {
    const title = "Reconnecting";
    const countdown = `${duration(Date.now() - connection.sinceMs)} without an answer. ${nextAttempt(connection.retryMs)}`;
    const text = `${connection.reason} What you see is from before.`;
    return bannerOf({ key: `waiting ${connection.reason}`, tone: "warn", title, text, countdown, retry: feed });
  }
  if (feed.storeGoneMs !== undefined) {
    const title = "The store can't be reached";
    const text =
      "The circuit breaker is open: calls don't wait for the server. Loaders are called instead, and nothing is stored.";
    const countdown = `For ${duration(feed.now() - feed.storeGoneMs)}.`;
    const detail = live?.process.lastError;
    return bannerOf({ key: `gone ${detail ?? ""}`, tone: "bad", title, text, countdown, detail });
  }
  if (feed.restartedMs !== undefined && Date.now() - feed.restartedMs < RESTART_SHOWN_MS) {
    const text = "This is another process than before: its counts begin anew.";
    return bannerOf({ key: `restarted ${feed.restartedMs}`, tone: "info", title: "The service has restarted", text });
  }
  return undefined;
}

function nextAttempt(retryMs: number): string {
  const seconds = Math.ceil((retryMs - Date.now()) / 1_000);
  return seconds > 0 ? `Next attempt in ${seconds} s.` : "Trying now.";
}

interface Parts {
  key: string;
  tone: string;
  title: string;
  text: string;
  countdown?: string;
  detail?: string | undefined;
  retry?: Feed;
}

function bannerOf({ key, tone, title, text, countdown, detail, retry }: Parts): Banner {
  const element = h(
    "div",
    { class: "notice banner", "data-tone": tone },
    h("p", { class: "notice-title" }, title),
    h(
      "p",
      {},
      text,
      countdown !== undefined && " ",
      countdown !== undefined && h("span", { "data-countdown": true }, countdown),
    ),
    detail !== undefined && h("p", { class: "mono" }, data(detail, { maxLength: 500 })),
    retry && button("Try now", () => retry.retry()),
  );
  return { key, text: `${title}. ${text}`, countdown: countdown ?? "", element };
}

/** The connection in a word or two, for the top of the page. */
export function connectionText({ connection }: Feed): string {
  switch (connection.state) {
    case "open":
      return "Live";
    case "connecting":
      return "Connecting";
    case "paused":
      return "Paused";
    case "waiting":
      return "Reconnecting";
    case "refused":
      return "Refused";
  }
}
