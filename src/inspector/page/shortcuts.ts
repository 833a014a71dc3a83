import { h } from "./dom.js";
import { button } from "./parts.js";
import { hasShortcuts, setShortcuts } from "./preferences.js";
import { open } from "./router.js";
import type { View } from "./view.js";

interface Shortcut {
  readonly key: string;
  readonly text: string;
  run(): void;
}

/** Single keys that do something, and the list of them. */
export class Shortcuts {
  readonly #all: readonly Shortcut[];

  constructor(
    views: readonly { readonly name: string; readonly title: string }[],
    view: () => View | undefined,
    nextTheme: () => void,
  ) {
    this.#all = [
      ...views.map(({ name, title }, index) => ({ key: String(index + 1), text: title, run: () => open(name) })),
      { key: "/", text: "Go to the filter, where the view has one", run: () => view()?.search?.focus() },
      { key: "r", text: "Read again: the entry, the keys, the checks", run: () => view()?.refresh?.() },
      { key: "p", text: "Pause the events, or go on", run: () => view()?.pause?.() },
      { key: "t", text: "Next colour scheme", run: nextTheme },
      { key: "?", text: "This list", run: () => this.showHelp() },
    ];
    document.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #onKey(event: KeyboardEvent): void {
    if (!hasShortcuts() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]") || isTyping(event.target)) return;
    const shortcut = this.#all.find(({ key }) => key === event.key);
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run();
  }

  showHelp(): void {
    const toggle = h("input", { type: "checkbox", onchange: () => setShortcuts(toggle.checked) });
    toggle.checked = hasShortcuts();
    const dialog = h(
      "dialog",
      { "aria-labelledby": "shortcuts", onclose: () => dialog.remove() },
      h("h2", { id: "shortcuts" }, "Keyboard shortcuts"),
      h(
        "dl",
        { class: "shortcuts" },
        ...this.#all.flatMap(({ key, text }) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)]),
      ),
      h("label", { class: "check" }, toggle, "Single keys do this"),
      h(
        "p",
        { class: "actions" },
        button("Close", () => dialog.close()),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  }
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}
