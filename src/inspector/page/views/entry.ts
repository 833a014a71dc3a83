import type { EntryReport, ResponseReport, ValueReport, WhyReport } from "../../../inspect/port.js";
import type { EntryAnswer } from "../../api.js";
import { getJson } from "../backend.js";
import { type Child, fill, h } from "../dom.js";
import { bytes, counted, duration, latency, NONE } from "../format.js";
import { jsonTree } from "../json-tree.js";
import { badge, button, type Column, card, empty, failure, heading, row, table, tagChip } from "../parts.js";
import { href, type Route } from "../router.js";
import { data, plain } from "../text.js";
import { Timeline } from "../timeline.js";
import type { Context, View } from "../view.js";
import { stateBadge } from "./keys.js";

export function entryView(context: Context, route: Route): View {
  const storedKey = route.parameters.get("key") ?? "";
  const controller = new AbortController();
  const body = h("div", { class: "stack", "aria-busy": "true" }, h("p", { class: "loading" }, "Reading the entry…"));
  let timeline: Timeline | undefined;
  const read = async () => {
    try {
      const query = new URLSearchParams({ key: storedKey });
      const answer = await getJson<EntryAnswer>(`api/entry?${query}`, controller.signal);
      timeline = new Timeline(answer.entry);
      timeline.show(answer.entry.atMs);
      fill(body, ...entryParts(answer, timeline));
    } catch (error) {
      if (controller.signal.aborted) return;
      fill(
        body,
        failure(
          error instanceof Error ? error.message : String(error),
          button("Try again", () => void read()),
        ),
      );
    }
    body.setAttribute("aria-busy", "false");
  };
  const refresh = () => void read().then(() => context.announce("The entry was read again"));
  const element = h(
    "div",
    { class: "stack" },
    heading("Entry", h("span", { class: "actions" }, ...actions(context, storedKey, refresh))),
    h("p", { class: "entry-key mono" }, data(storedKey, { maxLength: 4_000 })),
    body,
  );
  void read();
  return {
    title: plain(storedKey, 60),
    element,
    update: () => timeline?.show(context.feed.now()),
    end: () => controller.abort(),
    refresh,
  };
}

function actions({ announce, feed }: Context, storedKey: string, refresh: () => void): Child[] {
  const copy = button(
    "Copy key",
    () => void navigator.clipboard?.writeText(storedKey).then(() => announce("The key was copied")),
  );
  return [
    button("Read again", refresh),
    isSecureContext && copy,
    feed.info?.mayChange !== false &&
      h("a", { class: "button", href: href("purge", { by: "key", key: storedKey, stored: "1" }) }, "Purge…"),
  ];
}

function entryParts({ entry, why }: EntryAnswer, timeline: Timeline): Child[] {
  return [
    whyCard(why),
    card("Timeline", timeline.element),
    h("div", { class: "columns" }, card("Facts", facts(entry)), card("Tags", tags(entry))),
    entry.value && valueCard(entry.value),
    entry.value?.response && responseCard(entry.value.response),
  ];
}

const OUTCOMES: Readonly<Record<WhyReport["outcome"], readonly [text: string, tone: string]>> = {
  hit: ["hit", "good"],
  refresh: ["answers, and refreshes", "warn"],
  wait: ["waits", "info"],
  load: ["loads", "info"],
  alone: ["loads alone", "warn"],
  fail: ["fails", "bad"],
};

function whyCard({ outcome, summary, get, reasons, hints }: WhyReport): HTMLElement {
  const [text, tone] = OUTCOMES[outcome];
  return card(
    "What a call would do now",
    h(
      "p",
      { class: "badges" },
      h("code", {}, "getOrSet"),
      badge(text, tone),
      h("code", {}, "get"),
      badge(get, get === "hit" ? "good" : get === "miss" ? "idle" : "bad"),
    ),
    h("p", { class: "summary" }, data(summary, { maxLength: 2_000 })),
    reasons.length > 0 &&
      h("ol", { class: "reasons" }, ...reasons.map((reason) => h("li", {}, data(reason, { maxLength: 2_000 })))),
    ...hints.map((hint) => h("p", { class: "hint" }, data(hint, { maxLength: 2_000 }))),
  );
}

function facts(entry: EntryReport): HTMLElement {
  const { atMs, key, version, namespaces, type, size, memoryBytes, idleMs, deltaMs, expiresMs, lease, value } = entry;
  const all: [string, Child][] = [
    ["State", stateBadge(entry)],
    ["Key", key === undefined ? "not of this cache" : data(key, { maxLength: 400 })],
    [
      "Namespace",
      namespaces.length === 0
        ? "none"
        : h("a", { href: href("keys", { ns: namespaces }) }, data(namespaces.join(" › "))),
    ],
    ["Version", version === undefined ? NONE : String(version)],
    ["Expires", expiresMs === undefined ? NONE : expiresMs === null ? "never" : `in ${duration(expiresMs - atMs)}`],
    ["Size", type === "string" ? bytes(size) : `${counted(size, "member")} in a ${type}`],
    [
      "Memory",
      memoryBytes === undefined ? "the server doesn't say" : `${bytes(memoryBytes)} with the server's overhead`,
    ],
    ["Idle", idleMs === undefined ? NONE : duration(idleMs)],
    ["Its load took", deltaMs === 0 ? "not known" : latency(deltaMs)],
    ["Lease", leaseText(lease, atMs)],
    [
      "Codec",
      value === undefined ? NONE : value.isOwnCodec ? value.codec : `${value.codec}, which is not this cache's own`,
    ],
  ];
  return h("dl", { class: "facts" }, ...all.flatMap(([name, fact]) => [h("dt", {}, name), h("dd", {}, fact)]));
}

function leaseText(lease: EntryReport["lease"], atMs: number): Child {
  if (!lease) return "none";
  const end = duration(lease.untilMs - atMs);
  if (lease.holder === undefined) return `a pause after a failed load, for ${end} more`;
  return h("span", {}, "held by ", data(lease.holder, { maxLength: 80 }), ` for ${end} more, unless it is renewed`);
}

function tags({ tags: all }: EntryReport): HTMLElement {
  if (all.length === 0)
    return h("p", { class: "muted" }, "It has none: only its key, a pattern or its namespace ends it.");
  const unknown = all.filter(({ tag }) => tag === undefined).length;
  const explanation = "Entries store hashes of tags. The text of a tag is shown where this process has used it.";
  return h(
    "div",
    {},
    h("p", { class: "chips" }, ...all.map(tagChip)),
    unknown > 0 && h("p", { class: "muted" }, explanation),
  );
}

function valueCard(value: ValueReport): HTMLElement {
  const { text, json, isCut, error, response } = value;
  const asText = h(
    "pre",
    { class: "value", tabindex: "0", "aria-label": "The value as text" },
    data(text, { maxLength: Number.POSITIVE_INFINITY, lines: true }),
  );
  const hasTree = typeof json === "object" && json !== null;
  const tree = hasTree ? jsonTree(json) : undefined;
  const place = h("div", {}, tree ?? asText);
  const cut = `This is not all of it: ${bytes(text.length)} of text are shown.`;
  const segment = (label: string, shown: HTMLElement, checked: boolean) =>
    h(
      "label",
      {},
      h("input", { type: "radio", name: "shown", checked, onchange: () => fill(place, shown) }),
      h("span", {}, label),
    );
  return card(
    response ? "Body" : "Value",
    error !== undefined && failure(`It can't be decoded: ${error}. These are its bytes.`),
    isCut && h("p", { class: "notice", "data-tone": "info" }, cut),
    tree &&
      h(
        "fieldset",
        { class: "segments" },
        h("legend", { class: "unseen" }, "Show the value as"),
        segment("Tree", tree, true),
        segment("Text", asText, false),
      ),
    text === "" && !hasTree ? empty("Empty", "The value has no bytes.") : place,
  );
}

const FIELD_COLUMNS: readonly Column[] = [{ title: "Field", isName: true }, { title: "Value" }];

function responseCard({ url, status, fields, bodySize }: ResponseReport): HTMLElement {
  const { element, body } = table("Fields of the response", FIELD_COLUMNS);
  fill(body, ...fields.map(([name, value]) => row(FIELD_COLUMNS, [data(name), data(value, { maxLength: 1_000 })])));
  return card(
    "Response",
    // No link: a stored URL may lead anywhere.
    h("p", { class: "mono" }, data(url, { maxLength: 2_000 })),
    h("p", {}, badge(String(status), status < 400 ? "good" : "bad"), ` with a body of ${bytes(bodySize)}`),
    element,
  );
}
