import type { PurgeTarget } from "../../inspect/port.js";
import { fill, h } from "./dom.js";
import { field, textInput } from "./parts.js";

type By = PurgeTarget["by"];

const WAYS: readonly { readonly by: By; readonly title: string; readonly text: string }[] = [
  { by: "key", title: "Key", text: "One entry, by the key that your code uses." },
  {
    by: "pattern",
    title: "Pattern",
    text: "Entries whose key matches: * stands for any text, ? for one character, [ab] for one of them.",
  },
  { by: "tag", title: "Tag", text: "Entries and responses that carry a tag, in every namespace." },
  { by: "namespace", title: "Namespace", text: "Everything in a namespace, and in those within it." },
];

/** What is to be purged, as a form. */
export class PurgeForm {
  readonly element = h("div", { class: "stack tight" });
  readonly #inputs: Readonly<Record<By, HTMLInputElement>>;
  readonly #place = h("div", { class: "stack tight" });
  readonly #key: HTMLInputElement;
  readonly #isStored = h("input", { type: "checkbox" });
  readonly #pattern: HTMLInputElement;
  readonly #tags: HTMLTextAreaElement;
  readonly #all = h("input", { type: "checkbox" });
  readonly #names: HTMLTextAreaElement;

  /** @param parameters of the view, which fill the fields @param onChange called when another thing is to be purged */
  constructor(parameters: URLSearchParams, onChange: () => void) {
    const first = WAYS.find(({ by }) => by === parameters.get("by"))?.by ?? "key";
    this.#key = textInput("key", parameters.get("key") ?? "", "user:7");
    this.#isStored.checked = parameters.get("stored") === "1";
    this.#pattern = textInput("pattern", parameters.get("pattern") ?? "", "user:*");
    this.#tags = linesInput("tags", parameters.getAll("tags"), "news");
    this.#names = linesInput("names", parameters.getAll("ns"), "tenant-42");
    const radio = (by: By) =>
      h("input", { type: "radio", name: "by", value: by, checked: by === first, onchange: () => this.#showFields() });
    this.#inputs = { key: radio("key"), pattern: radio("pattern"), tag: radio("tag"), namespace: radio("namespace") };
    fill(
      this.element,
      h(
        "fieldset",
        { class: "segments" },
        h("legend", { class: "unseen" }, "Purge by"),
        ...WAYS.map(({ by, title }) => h("label", {}, this.#inputs[by], h("span", {}, title))),
      ),
      this.#place,
    );
    for (const type of ["input", "change"]) this.element.addEventListener(type, onChange);
    this.#showFields();
  }

  get by(): By {
    return WAYS.find(({ by }) => this.#inputs[by].checked)?.by ?? "key";
  }

  /** `undefined` while something is missing. */
  get target(): PurgeTarget | undefined {
    const namespaces = linesOf(this.#names);
    const tags = linesOf(this.#tags);
    const targets: Readonly<Record<By, PurgeTarget | undefined>> = {
      key: this.#key.value === "" ? undefined : { by: "key", key: this.#key.value, isStored: this.#isStored.checked },
      pattern:
        this.#pattern.value === ""
          ? undefined
          : { by: "pattern", pattern: this.#pattern.value, ...(namespaces.length > 0 && { namespaces }) },
      tag: tags.length === 0 ? undefined : { by: "tag", tags, match: this.#all.checked ? "all" : "any" },
      namespace: namespaces.length === 0 ? undefined : { by: "namespace", namespaces },
    };
    return targets[this.by];
  }

  get disabled(): boolean {
    return this.#key.disabled;
  }

  set disabled(disabled: boolean) {
    const all = [
      this.#key,
      this.#isStored,
      this.#pattern,
      this.#tags,
      this.#all,
      this.#names,
      ...Object.values(this.#inputs),
    ];
    for (const input of all) input.disabled = disabled;
  }

  #showFields(): void {
    const { by } = this;
    const names = (label: string) => field(label, this.#names, "One name a line, the outermost first.");
    const fields: Readonly<Record<By, () => readonly HTMLElement[]>> = {
      key: () => [
        field("Key", this.#key),
        h("label", { class: "check" }, this.#isStored, "It is a stored key, with prefix and version"),
      ],
      pattern: () => [field("Pattern of keys", this.#pattern), names("Only in this namespace")],
      tag: () => [
        field("Tags", this.#tags, "One tag a line."),
        h("label", { class: "check" }, this.#all, "Only what has all of them"),
      ],
      namespace: () => [names("Namespace")],
    };
    const text = WAYS.find((way) => way.by === by)?.text ?? "";
    fill(this.#place, h("p", { class: "muted" }, text), ...fields[by]());
  }
}

function linesInput(name: string, lines: readonly string[], placeholder: string): HTMLTextAreaElement {
  const input = h("textarea", {
    name,
    placeholder,
    rows: Math.min(6, Math.max(2, lines.length)),
    spellcheck: "false",
    autocapitalize: "off",
  });
  input.value = lines.join("\n");
  return input;
}

function linesOf({ value }: HTMLTextAreaElement): string[] {
  return value.split("\n").filter((line) => line !== "");
}
