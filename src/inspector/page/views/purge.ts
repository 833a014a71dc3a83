import type { Progress, PurgePreview, PurgeTarget } from "../../../inspect/port.js";
import type { PurgeRequest, WorkLine } from "../../api.js";
import { getLines } from "../backend.js";
import { type Child, fill, h, setText } from "../dom.js";
import { bytes, count, counted, duration, exactCount, NONE, rate } from "../format.js";
import { button, type Column, card, empty, failure, field, heading, keyLink, row, table, textInput } from "../parts.js";
import { PurgeForm } from "../purge-form.js";
import type { Route } from "../router.js";
import type { Context, View } from "../view.js";
import { stateBadge } from "./keys.js";

/** More than this has to be confirmed by typing how many. */
const LARGE = 100;

export function purgeView(context: Context, route: Route): View {
  const place = h("div", { class: "stack" });
  const element = h("div", { class: "stack" }, heading("Purge"), place);
  let work: PurgeWork | undefined;
  return {
    title: "Purge",
    element,
    update() {
      const { info } = context.feed;
      if (!info) fill(place, h("p", { class: "loading" }, "Asking the service whether it allows changes…"));
      else if (!info.mayChange) fill(place, readOnly());
      else if (!work) {
        work = new PurgeWork(context, route.parameters);
        fill(place, work.element);
      }
    },
    end: () => work?.end(),
  };
}

function readOnly(): HTMLElement {
  return empty(
    "This inspector is read-only",
    "The application has mounted it without changes. To purge from here, mount it with ",
    h("code", {}, "inspector({ allowChanges: true, … })"),
    ". The command line purges, too: ",
    h("code", {}, "npx valkey-edge-cache purge --tag news"),
    ".",
  );
}

/** From a form to a preview, a confirmation and the purge. */
class PurgeWork {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #form: PurgeForm;
  readonly #soft = h("input", { type: "radio", name: "how", value: "soft" });
  readonly #hard = h("input", { type: "radio", name: "how", value: "hard", checked: true });
  readonly #free = h("input", { type: "checkbox" });
  readonly #freeField = h(
    "label",
    { class: "check" },
    this.#free,
    "Delete the entries too, to free their memory: a scan of the whole database",
  );
  readonly #preview = h("button", { type: "submit", class: "primary" }, "Preview");
  readonly #abort = button("Abort", () => this.#controller?.abort(), { class: "quiet" });
  readonly #outcome = h("div", { class: "stack", "aria-live": "polite" });
  #controller: AbortController | undefined;

  constructor(context: Context, parameters: URLSearchParams) {
    this.#context = context;
    this.#form = new PurgeForm(parameters, () => this.#reset());
    const choice = (input: HTMLInputElement, text: string) => h("label", { class: "check" }, input, text);
    const onsubmit = (event: Event) => {
      event.preventDefault();
      void this.#showPreview();
    };
    this.element = h(
      "div",
      { class: "stack" },
      h(
        "form",
        { class: "card stack tight", onsubmit },
        h("h2", {}, "What, and how"),
        this.#form.element,
        h(
          "fieldset",
          { class: "choices" },
          h("legend", {}, "What becomes of it"),
          choice(this.#hard, "End it: the next call loads"),
          choice(this.#soft, "Make it stale: it is answered while one caller loads"),
          this.#freeField,
        ),
        h("p", { class: "actions" }, this.#preview, this.#abort),
      ),
      this.#outcome,
    );
    for (const input of [this.#soft, this.#hard, this.#free]) input.addEventListener("change", () => this.#reset());
    this.#reset();
  }

  end(): void {
    this.#controller?.abort();
  }

  /** Another target or another way: what was previewed is not what would be purged. */
  #reset(): void {
    this.#abort.hidden = true;
    const canFree = this.#form.by === "tag" || this.#form.by === "namespace";
    this.#freeField.hidden = !canFree || this.#soft.checked;
    this.#preview.disabled = this.#form.target === undefined;
    fill(this.#outcome);
  }

  #request(target: PurgeTarget): PurgeRequest {
    return { ...target, soft: this.#soft.checked, free: !this.#freeField.hidden && this.#free.checked };
  }

  async #showPreview(): Promise<void> {
    const target = this.#form.target;
    if (!target) return;
    const progress = new ProgressBar("Counting what matches");
    fill(this.#outcome, progress.element);
    const preview = await this.#run("api/preview", target, progress);
    if (preview === "aborted") fill(this.#outcome, empty("The preview was ended", "Nothing was changed."));
    else if (preview && "preview" in preview) this.#confirm(target, preview.preview);
  }

  #confirm(target: PurgeTarget, preview: PurgePreview): void {
    const { matched } = preview;
    // A tag or a namespace is ended by one write, also for entries that a scan can't see yet.
    const isLog = target.by === "tag" || target.by === "namespace";
    if (matched === 0 && !isLog) {
      fill(
        this.#outcome,
        empty("Nothing matches", `${counted(preview.scanned, "key")} of the database were looked at.`),
      );
      return;
    }
    const verb = this.#soft.checked ? "Make stale" : "Purge";
    const go = button(`${verb} ${counted(matched, "entry", "entries")}`, () => void this.#purge(target), {
      class: "danger",
    });
    const typed = textInput("confirmation", "", String(matched));
    typed.inputMode = "numeric";
    const isLarge = matched > LARGE;
    go.disabled = isLarge;
    typed.addEventListener("input", () => {
      go.disabled = typed.value.replace(/[\s,.]/g, "") !== String(matched);
    });
    fill(
      this.#outcome,
      card(
        "Preview",
        h(
          "p",
          { class: "preview" },
          h("b", {}, exactCount(matched)),
          matched === 1 ? " entry, " : " entries, ",
          h("b", {}, bytes(preview.bytes)),
          " of values",
        ),
        preview.samples.length > 0 && samples(preview),
        isLarge && field(`This is a lot. Type ${matched} to confirm`, typed),
        h(
          "p",
          { class: "actions" },
          go,
          button("Cancel", () => this.#reset(), { class: "quiet" }),
        ),
      ),
    );
    this.#context.announce(`${counted(matched, "entry", "entries")} match`);
  }

  async #purge(target: PurgeTarget): Promise<void> {
    const progress = new ProgressBar("Purging");
    fill(this.#outcome, progress.element);
    const line = await this.#run("api/purge", this.#request(target), progress);
    if (line === "aborted") {
      fill(this.#outcome, empty("The purge was ended", "What was purged stays purged. Purging again is safe."));
    } else if (line && "done" in line) {
      const text = `${counted(line.done.matched, "entry", "entries")} purged`;
      fill(
        this.#outcome,
        h(
          "div",
          { class: "notice", "data-tone": "good" },
          h("p", { class: "notice-title" }, text),
          h("p", {}, doneText(line.done)),
        ),
      );
      this.#context.announce(text);
    }
  }

  /** Shows the progress of a work. @returns its last line, or `undefined` if it failed, which is shown */
  async #run(
    path: string,
    body: PurgeTarget | PurgeRequest,
    progress: ProgressBar,
  ): Promise<WorkLine | "aborted" | undefined> {
    const controller = new AbortController();
    this.#controller = controller;
    this.#setBusy(true);
    try {
      const { token } = this.#context.feed.info ?? {};
      for await (const line of getLines<WorkLine>(path, {
        signal: controller.signal,
        body,
        ...(token !== undefined && { token }),
      })) {
        if ("error" in line) throw new Error(line.error);
        if (!("progress" in line)) return line;
        progress.show(line.progress);
      }
      throw new Error("The service has ended the work before it was done. Try again: doing it twice is safe.");
    } catch (error) {
      if (controller.signal.aborted) return "aborted";
      fill(this.#outcome, failure(error instanceof Error ? error.message : String(error)));
      return undefined;
    } finally {
      this.#setBusy(false);
    }
  }

  #setBusy(busy: boolean): void {
    for (const input of [this.#form, this.#preview, this.#soft, this.#hard, this.#free]) input.disabled = busy;
    this.#abort.hidden = !busy;
  }
}

function doneText({ bytes: size, scanned }: Progress): string {
  const freed = size > 0 ? `${bytes(size)} of values. ` : "";
  return `${freed}${scanned > 0 ? `${counted(scanned, "key")} of the database were looked at.` : "It took one write."}`;
}

const SAMPLE_COLUMNS: readonly Column[] = [
  { title: "Key", isName: true },
  { title: "State" },
  { title: "Size", isFigure: true },
];

function samples({ samples: rows, matched }: PurgePreview): HTMLElement {
  const { element, body } = table("Some of what matches", SAMPLE_COLUMNS);
  fill(
    body,
    ...rows.map((item) =>
      row(SAMPLE_COLUMNS, [
        keyLink(item.storedKey),
        stateBadge(item),
        item.type === "string" ? bytes(item.size) : NONE,
      ]),
    ),
  );
  const rest: Child = matched > rows.length && h("p", { class: "muted" }, `… and ${count(matched - rows.length)} more`);
  return h("div", {}, element, rest);
}

/** How far a work has come, with its rate and the rest. */
class ProgressBar {
  readonly #bar = h("progress", {});
  readonly #text = h("p", { class: "status" }, "Beginning…");
  readonly #startMs = performance.now();
  readonly element: HTMLElement;

  constructor(title: string) {
    this.#bar.setAttribute("aria-label", title);
    this.element = card(title, this.#bar, this.#text);
  }

  show({ scanned, total, matched, bytes: size }: Progress): void {
    if (total !== undefined && total > 0) {
      this.#bar.max = Math.max(total, scanned);
      this.#bar.value = scanned;
    }
    const seconds = (performance.now() - this.#startMs) / 1_000;
    const perSecond = scanned / Math.max(seconds, 0.001);
    const left =
      total === undefined || scanned === 0
        ? ""
        : `, ${duration(((total - Math.min(scanned, total)) / perSecond) * 1_000)} left`;
    const seen = total === undefined ? exactCount(scanned) : `${exactCount(scanned)} of ${exactCount(total)}`;
    setText(
      this.#text,
      `${seen} keys looked at, ${rate(Math.round(perSecond))}/s${left}. ${counted(matched, "entry", "entries")} match, ${bytes(size)}.`,
    );
  }
}
