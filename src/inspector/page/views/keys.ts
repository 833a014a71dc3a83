import type { EntryState, KeyRow } from "../../../inspect/port.js";
import { fill, h, setText } from "../dom.js";
import type { Feed } from "../feed.js";
import { bytes, count, counted, duration, exactCount, NONE } from "../format.js";
import { type Filter, Listing, PAGE_SIZE } from "../listing.js";
import { NamespaceTree } from "../namespace-tree.js";
import {
  badge,
  button,
  type Column,
  empty,
  failure,
  field,
  heading,
  keyLink,
  row,
  table,
  tagChip,
  textInput,
} from "../parts.js";
import { href, open, type Route } from "../router.js";
import type { Context, View } from "../view.js";

/** The last list, so that the way back from an entry leads to where it began. */
let last: { readonly key: string; readonly listing: Listing; page: number } | undefined;

export function keysView(context: Context, route: Route): View {
  const filter = filterOf(route.parameters);
  const form = new FilterForm(filter);
  const tree = new NamespaceTree(filter);
  const results = new Results(context, filter, tree);
  const element = h(
    "div",
    { class: "stack" },
    heading("Keys", h("a", { href: href("purge", purgeParameters(filter)), class: "button quiet" }, "Purge these…")),
    form.element,
    h("div", { class: "browser" }, tree.element, results.element),
  );
  results.start();
  return {
    title: "Keys",
    element,
    search: form.search,
    update: () => results.showTimes(),
    end: () => results.leave(),
    refresh: () => results.scanAgain(),
  };
}

function filterOf(parameters: URLSearchParams): Filter {
  const text = (name: string) => parameters.get(name) ?? "";
  return { pattern: text("pattern"), ns: parameters.getAll("ns"), version: text("version"), tag: text("tag") };
}

function purgeParameters({ pattern, ns, tag }: Filter) {
  if (tag !== "") return { by: "tag", tags: tag };
  if (pattern !== "") return { by: "pattern", pattern, ns };
  return { by: ns.length > 0 ? "namespace" : "key", ns };
}

class FilterForm {
  readonly search: HTMLInputElement;
  readonly element: HTMLElement;

  constructor(filter: Filter) {
    const pattern = textInput("pattern", filter.pattern, "user:*");
    const tag = textInput("tag", filter.tag, "news");
    const version = textInput("version", filter.version, "all");
    version.inputMode = "numeric";
    this.search = pattern;
    const onsubmit = (event: Event) => {
      event.preventDefault();
      const next = {
        pattern: pattern.value.trim(),
        tag: tag.value.trim(),
        version: version.value.trim(),
        ns: filter.ns,
      };
      if (href("keys", next) === location.hash) last = undefined;
      open("keys", next);
    };
    this.element = h(
      "form",
      { class: "filters", onsubmit, role: "search", "aria-label": "Keys" },
      field("Pattern of keys", pattern),
      field("Tag", tag),
      field("Version", version),
      h("button", { type: "submit", class: "primary" }, "List keys"),
    );
  }
}

const COLUMNS: readonly Column[] = [
  { title: "Key", isName: true },
  { title: "State" },
  { title: "Expires in", isFigure: true },
  { title: "Age", isFigure: true },
  { title: "Size", isFigure: true },
  { title: "Tags" },
];

class Results {
  readonly #context: Context;
  readonly #filter: Filter;
  readonly #tree: NamespaceTree;
  readonly #progress = h("progress", { "aria-label": "Keys of the database that were looked at" });
  readonly #status = h("p", { class: "status" });
  readonly #table = table("Keys", COLUMNS);
  readonly #message = h("div");
  readonly #previous = button("Previous 100", () => this.#turn(-1));
  readonly #next = button("Next 100", () => this.#turn(1));
  readonly #stop = button("Stop", () => this.#listing.stop(), { class: "quiet" });
  readonly #again = button("Scan again", () => this.scanAgain(), { class: "quiet" });
  readonly element = h(
    "div",
    { class: "results" },
    h("div", { class: "scan" }, this.#status, this.#progress, this.#stop, this.#again),
    this.#message,
    this.#table.element,
    h("div", { class: "pager" }, this.#previous, this.#next),
  );
  #listing: Listing;
  #times: (() => void)[] = [];
  #shown = "";

  constructor(context: Context, filter: Filter, tree: NamespaceTree) {
    this.#context = context;
    this.#filter = filter;
    this.#tree = tree;
    const key = JSON.stringify(filter);
    last = last?.key === key ? last : { key, listing: new Listing(filter), page: 0 };
    this.#listing = last.listing;
  }

  start(): void {
    this.#listing.watch(() => this.#show());
    this.#show();
    if (this.#listing.state === "waiting") void this.#listing.readTo(PAGE_SIZE);
  }

  scanAgain(): void {
    this.#listing.watch(() => undefined);
    this.#listing.stop();
    this.#listing = new Listing(this.#filter);
    last = { key: JSON.stringify(this.#filter), listing: this.#listing, page: 0 };
    this.#shown = "";
    this.start();
  }

  leave(): void {
    this.#listing.watch(() => undefined);
    this.#listing.stop();
  }

  showTimes(): void {
    for (const show of this.#times) show();
  }

  get #page(): number {
    return last?.page ?? 0;
  }

  #turn(by: 1 | -1): void {
    if (last) last.page = Math.max(0, last.page + by);
    this.#show();
    void this.#listing.readTo((this.#page + 1) * PAGE_SIZE);
    this.#table.element.scrollIntoView({ block: "nearest" });
    this.#context.announce(`Page ${this.#page + 1} of keys`);
  }

  #show(): void {
    const { rows, scanned, total, state } = this.#listing;
    const isReading = state === "reading";
    setText(this.#status, statusText(this.#listing));
    this.#progress.hidden = state === "done" || total === undefined || total === 0;
    this.#progress.max = total || 1;
    this.#progress.value = Math.min(scanned, total ?? 0);
    this.#stop.hidden = !isReading;
    this.#again.hidden = isReading;
    this.#showRows(rows.slice(this.#page * PAGE_SIZE, (this.#page + 1) * PAGE_SIZE));
    this.#showMessage();
    this.#previous.disabled = this.#page === 0;
    this.#next.disabled = isReading || (rows.length <= (this.#page + 1) * PAGE_SIZE && state !== "waiting");
    this.#tree.show(this.#listing.namespaces);
  }

  /** Rows that are shown stay; a scan adds to them. */
  #showRows(rows: readonly KeyRow[]): void {
    const page = String(this.#page);
    if (this.#shown !== page) {
      this.#shown = page;
      this.#times = [];
      fill(this.#table.body);
    }
    for (const item of rows.slice(this.#table.body.childElementCount)) this.#table.body.append(this.#rowOf(item));
    this.#table.element.hidden = rows.length === 0;
  }

  #rowOf(item: KeyRow): HTMLElement {
    const expires = h("span");
    const age = h("span");
    const { feed } = this.#context;
    const show = () => {
      setText(expires, timeLeft(item.expiresMs, feed));
      setText(age, item.storedMs === undefined ? NONE : duration(feed.now() - item.storedMs));
    };
    show();
    this.#times.push(show);
    const size = item.type === "string" ? bytes(item.size) : `${count(item.size)} in ${item.type}`;
    const tags =
      item.tags.length === 0
        ? NONE
        : h(
            "span",
            { class: "chips" },
            ...item.tags.slice(0, 4).map(tagChip),
            item.tags.length > 4 && `+${item.tags.length - 4}`,
          );
    return row(COLUMNS, [keyLink(item.storedKey), stateBadge(item), expires, age, size, tags]);
  }

  #showMessage(): void {
    const { rows, error, state } = this.#listing;
    if (error !== undefined) fill(this.#message, failure(error));
    else if (rows.length === 0 && state === "done") fill(this.#message, empty("No keys", noKeys(this.#filter)));
    else fill(this.#message);
  }
}

function noKeys({ pattern, tag, version, ns }: Filter): string {
  const isFiltered = pattern !== "" || tag !== "" || version !== "" || ns.length > 0;
  return isFiltered
    ? "The whole database was looked at, and nothing matches. A pattern matches whole keys: user:* finds user:7, and user finds only user."
    : "The whole database was looked at: this cache has stored nothing that is still there.";
}

function statusText({ rows, scanned, total, state }: Listing): string {
  const found = `${counted(rows.length, "key")} found`;
  const seen =
    total === undefined
      ? `${exactCount(scanned)} looked at`
      : `${exactCount(scanned)} of ${exactCount(total)} looked at`;
  if (state === "done") return `${found}: all. ${exactCount(scanned)} keys of the database were looked at.`;
  if (state === "reading") return `Scanning: ${found}, ${seen}`;
  if (state === "waiting") return `${found} so far, ${seen}. The scan goes on with the next page.`;
  return `${found}, ${seen}. The scan was ended.`;
}

function timeLeft(expiresMs: number | null | undefined, feed: Feed): string {
  if (expiresMs === undefined) return NONE;
  if (expiresMs === null) return "never";
  const left = expiresMs - feed.now();
  return left > 0 ? duration(left) : "gone";
}

const TONES: Readonly<Record<EntryState, string>> = {
  fresh: "good",
  stale: "warn",
  ended: "idle",
  loading: "info",
  unreadable: "bad",
  none: "idle",
};

/** The state, and what it is if that is no value. */
export function stateBadge({ state, kind }: Pick<KeyRow, "state" | "kind">): HTMLElement {
  return h(
    "span",
    { class: "chips" },
    badge(state === "none" ? "gone" : state, TONES[state]),
    kind !== "value" && kind !== "none" && badge(kind, "plain"),
  );
}
