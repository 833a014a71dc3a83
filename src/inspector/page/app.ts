import { banner, connectionText } from "./banner.js";
import { fill, h, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { applyTheme, currentTheme, nextTheme, type Theme } from "./preferences.js";
import { currentRoute, href, open, type Route } from "./router.js";
import { Shortcuts } from "./shortcuts.js";
import { plain } from "./text.js";
import type { Context, View } from "./view.js";
import { entryView } from "./views/entry.js";
import { eventsView } from "./views/events.js";
import { healthView } from "./views/health.js";
import { herdView } from "./views/herd.js";
import { hottestView } from "./views/hottest.js";
import { keysView } from "./views/keys.js";
import { overviewView } from "./views/overview.js";
import { purgeView } from "./views/purge.js";

type OpenView = (context: Context, route: Route) => View;

/** In the order of the navigation. */
const VIEWS: readonly { readonly name: string; readonly title: string; readonly open: OpenView }[] = [
  { name: "overview", title: "Overview", open: overviewView },
  { name: "herd", title: "Herd", open: herdView },
  { name: "hottest", title: "Hottest", open: hottestView },
  { name: "keys", title: "Keys", open: keysView },
  { name: "purge", title: "Purge", open: purgeView },
  { name: "health", title: "Health", open: healthView },
  { name: "events", title: "Events", open: eventsView },
];

const THEME_NAMES: Readonly<Record<Theme, string>> = { auto: "Auto", light: "Light", dark: "Dark" };

/** The frame around the views: navigation, connection, theme, shortcuts. */
export class App implements Context {
  readonly feed = new Feed(() => this.#update());
  readonly #main = part("main");
  readonly #view = part("view");
  readonly #banner = part("banner");
  readonly #links = new Map(VIEWS.map(({ name, title }) => [name, h("a", { href: href(name) }, title)]));
  #current: View | undefined;
  #name = "";
  #bannerKey = "";

  start(): void {
    this.#showTheme(currentTheme());
    fill(part("nav"), ...this.#links.values());
    part("theme").addEventListener("click", () => this.#nextTheme());
    const shortcuts = new Shortcuts(
      VIEWS.map(({ name, title }) => ({ name, title })),
      () => this.#current,
      () => this.#nextTheme(),
    );
    part("help").addEventListener("click", () => shortcuts.showHelp());
    document.querySelector("[data-skip]")?.addEventListener("click", (event) => {
      // The part of the address behind "#" is the place in the inspector.
      event.preventDefault();
      this.#main.focus();
    });
    addEventListener("hashchange", () => this.#open(currentRoute()));
    this.#open(currentRoute());
    setInterval(() => document.visibilityState === "visible" && this.#update(), 1_000);
    void this.feed.run();
  }

  announce(text: string): void {
    setText(part("announcer"), text);
  }

  #open(route: Route): void {
    const known = VIEWS.find(({ name }) => name === route.view);
    if (!known && route.view !== "entry") {
      open("overview");
      return;
    }
    this.#current?.end();
    const isFirst = this.#name === "";
    const isSame = this.#name === route.view;
    this.#name = route.view;
    const view = (known?.open ?? entryView)(this, route);
    this.#current = view;
    document.title = `${plain(view.title)} · Cache inspector`;
    fill(this.#view, view.element);
    this.#markLink(route.view === "entry" ? "keys" : route.view);
    view.update();
    if (isFirst) return;
    if (!isSame) scrollTo(0, 0);
    // Screen readers read where they are now. A form that has changed its own view keeps the focus.
    const field = isSame ? view.search : undefined;
    (field ?? view.element.querySelector("h1"))?.focus({ preventScroll: true });
  }

  #markLink(current: string): void {
    for (const [name, link] of this.#links) {
      if (name !== current) {
        link.removeAttribute("aria-current");
        continue;
      }
      link.setAttribute("aria-current", "page");
      // On a phone the navigation is a strip that is wider than the screen.
      const nav = part("nav");
      nav.scrollLeft = link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
    }
  }

  #update(): void {
    const { feed } = this;
    if (feed.info) {
      const { server, prefix, version } = feed.info;
      setText(part("where"), plain(`${server} · ${prefix}:${version}`));
    }
    const connection = part("connection");
    connection.dataset.state = feed.connection.state;
    setText(connection.lastElementChild ?? connection, connectionText(feed));
    this.#showBanner();
    if (document.visibilityState === "visible") this.#current?.update();
  }

  /** Replaced only where it says something else, so that the focus stays on its button. */
  #showBanner(): void {
    const shown = banner(this.feed);
    if (shown?.key !== this.#bannerKey) {
      this.#bannerKey = shown?.key ?? "";
      fill(this.#banner, shown?.element);
      if (shown) this.announce(shown.text);
    }
    const line = this.#banner.querySelector("[data-countdown]");
    if (line && shown) setText(line, shown.countdown);
  }

  #nextTheme(): void {
    const theme = nextTheme();
    this.#showTheme(theme);
    this.announce(`Colour scheme: ${THEME_NAMES[theme]}`);
  }

  #showTheme(theme: Theme): void {
    applyTheme(theme);
    setText(part("theme"), THEME_NAMES[theme]);
    part("theme").setAttribute("aria-label", `Colour scheme: ${THEME_NAMES[theme]}`);
  }
}

/** A part of index.html. */
function part(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}
