import type { LiveEvent } from "../../api.js";
import { h, KeyedList, setText } from "../dom.js";
import { clockTime, count, latency, NONE } from "../format.js";
import { badge, button, type Column, empty, field, heading, keyLink, row, table, textInput } from "../parts.js";
import { open, type Route } from "../router.js";
import { data } from "../text.js";
import type { Context, View } from "../view.js";

const SHOWN = 200;

const COLUMNS: readonly Column[] = [
  { title: "Time" },
  { title: "Event", isName: true },
  { title: "Method" },
  { title: "Key" },
  { title: "Count", isFigure: true },
  { title: "Took", isFigure: true },
  { title: "Detail" },
];

const TONES: Readonly<Record<string, string>> = {
  error: "bad",
  miss: "idle",
  hit: "good",
  stale: "warn",
  breaker: "bad",
  load: "info",
};

export function eventsView(context: Context, route: Route): View {
  const { feed } = context;
  const filter = textInput("filter", route.parameters.get("filter") ?? "", "miss, getOrSet, user:7 …");
  const status = h("p", { class: "status" });
  const none = empty("No events", "They appear as calls of this process come. Only this process's own are listed.");
  const { element: list, body } = table("Events, the newest first", COLUMNS);
  const results = h("div", { class: "results" }, list);
  const rows = new KeyedList<Numbered>(
    body,
    ({ id }) => String(id),
    ({ event }) => ({ element: eventRow(event), update: () => undefined }),
  );
  const pauseButton = button("Pause", () => view.pause?.());
  const numbers = new Numbers();
  let paused: readonly LiveEvent[] | undefined;
  const update = () => {
    const events = paused ?? feed.events;
    const words = filter.value
      .toLowerCase()
      .split(/[\s,]+/)
      .filter(Boolean);
    const matching = numbers.of(events).filter(({ event }) => words.every((word) => textOf(event).includes(word)));
    rows.show(matching.slice(0, SHOWN));
    results.hidden = matching.length === 0;
    none.hidden = matching.length > 0;
    setText(status, statusText(matching.length, context, paused));
  };
  filter.addEventListener("input", update);
  const view: View = {
    title: "Events",
    element: h(
      "div",
      { class: "stack" },
      heading("Events", pauseButton),
      h(
        "form",
        {
          class: "filters",
          role: "search",
          "aria-label": "Events",
          onsubmit: (event) => {
            event.preventDefault();
            open("events", { filter: filter.value });
          },
        },
        field("Events that contain all of these words", filter),
      ),
      status,
      none,
      results,
    ),
    search: filter,
    update,
    end: () => undefined,
    pause() {
      paused = paused ? undefined : feed.events;
      setText(pauseButton, paused ? "Go on" : "Pause");
      context.announce(paused ? "The events are paused" : "The events go on");
      update();
    },
  };
  return view;
}

interface Numbered {
  readonly id: number;
  readonly event: LiveEvent;
}

/** Events have no names of their own: each object has a number while it is known. */
class Numbers {
  readonly #known = new WeakMap<LiveEvent, number>();
  #next = 0;

  of(events: readonly LiveEvent[]): Numbered[] {
    return events.map((event) => {
      const id = this.#known.get(event) ?? this.#next++;
      this.#known.set(event, id);
      return { id, event };
    });
  }
}

function textOf({ name, method, key, detail }: LiveEvent): string {
  return `${name} ${method} ${key} ${detail ?? ""}`.toLowerCase();
}

function statusText(matching: number, { feed }: Context, paused: readonly LiveEvent[] | undefined): string {
  const shown = `${count(Math.min(matching, SHOWN))} of the newest ${count((paused ?? feed.events).length)} events`;
  const dropped = feed.live?.dropped ?? 0;
  const lost = dropped > 0 ? `. ${count(dropped)} were dropped, as there were too many` : "";
  return `${shown}${paused ? ", paused" : ""}${lost}.`;
}

/** Requests to the HTTP cache have a URL in its place. */
function keyOf(name: string, key: string): HTMLElement | string {
  if (key === "") return NONE;
  return name === "http" ? data(key) : keyLink(key);
}

function eventRow({ atMs, name, method, key, count: number, durationMs, detail }: LiveEvent): HTMLElement {
  return row(COLUMNS, [
    clockTime(atMs),
    badge(name, TONES[name] ?? "plain"),
    data(method),
    keyOf(name, key),
    count(number),
    durationMs === undefined ? NONE : latency(durationMs),
    detail === undefined ? NONE : data(detail, { maxLength: 200 }),
  ]);
}
