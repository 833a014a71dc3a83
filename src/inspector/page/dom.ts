/** Elements are made by these functions only: data becomes text nodes and attributes, and never HTML. */

export type Child = Node | string | number | undefined | false;

/** Attributes by name; a function is a listener, by the name of its event after "on". */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

const SVG = "http://www.w3.org/2000/svg";

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((child) =>
    child === undefined || child === false ? [] : typeof child === "number" ? String(child) : child,
  );
}

/** Replaces the children of an element. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...nodes(children));
}

/** Changes a text only where it differs, so that selections and screen readers are left in peace. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A custom property of CSS, for lengths that depend on data. */
export function setVar(element: HTMLElement | SVGElement, name: `--${string}`, value: string | number): void {
  element.style.setProperty(name, String(value));
}

/** A child of a list that changes, by its key. */
export interface Kept<T> {
  readonly element: HTMLElement;
  update(item: T): void;
}

/** Keeps the children of an element equal to a list; children of the same key stay, and so does the focus in them. */
export class KeyedList<T> {
  readonly #parent: Element;
  readonly #keyOf: (item: T) => string;
  readonly #create: (item: T) => Kept<T>;
  #kept = new Map<string, Kept<T>>();

  constructor(parent: Element, keyOf: (item: T) => string, create: (item: T) => Kept<T>) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#create = create;
  }

  show(items: readonly T[]): void {
    const next = new Map<string, Kept<T>>();
    for (const item of items) {
      const key = this.#keyOf(item);
      const child = this.#kept.get(key) ?? this.#create(item);
      child.update(item);
      next.set(key, child);
    }
    for (const [key, { element }] of this.#kept) if (!next.has(key)) element.remove();
    let place = this.#parent.firstElementChild;
    for (const { element } of next.values()) {
      if (element === place) place = place.nextElementSibling;
      else this.#parent.insertBefore(element, place);
    }
    this.#kept = next;
  }
}
