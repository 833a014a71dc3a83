import { type Bulk, nameLength } from "./bulk.js";

/** The memory of a member beside its text, in bytes. Measured on Node 24. */
const MEMBER_OVERHEAD = 44;

/** A stored set. It tracks its size in bytes. */
export class Members {
  readonly #names = new Set<string>();
  #byteLength = 0;

  static cost(names: Iterable<string>): number {
    let cost = 0;
    for (const name of names) cost += MEMBER_OVERHEAD + nameLength(name);
    return cost;
  }

  static of(names: Iterable<string>): Members {
    const members = new Members();
    for (const name of names) members.add(name);
    return members;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  add(name: string): void {
    if (!this.#names.has(name)) this.#byteLength += Members.cost([name]);
    this.#names.add(name);
  }

  delete(name: string): boolean {
    const deleted = this.#names.delete(name);
    if (deleted) this.#byteLength -= Members.cost([name]);
    return deleted;
  }

  copy(): Members {
    return Members.of(this.#names);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names.values();
  }
}

/** The memory of a field beside its name and value, in bytes. Measured on Node 24. */
const FIELD_OVERHEAD = 120;

/** A stored hash. It tracks its size in bytes. */
export class Fields {
  readonly #values = new Map<string, Bulk>();
  #byteLength = 0;

  /** The growth in bytes that setting `entries` would cause. */
  growth(entries: Iterable<readonly [string, Bulk]>): number {
    let growth = 0;
    for (const [field, value] of entries) growth += fieldCost(field, value) - this.#costOf(field);
    return growth;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get size(): number {
    return this.#values.size;
  }

  has(field: string): boolean {
    return this.#values.has(field);
  }

  get(field: string): Bulk | undefined {
    return this.#values.get(field);
  }

  set(field: string, value: Bulk): void {
    this.#byteLength += fieldCost(field, value) - this.#costOf(field);
    this.#values.set(field, value);
  }

  delete(field: string): boolean {
    this.#byteLength -= this.#costOf(field);
    return this.#values.delete(field);
  }

  copy(): Fields {
    const copy = new Fields();
    for (const [field, value] of this.#values) copy.set(field, value);
    return copy;
  }

  [Symbol.iterator](): Iterator<[string, Bulk]> {
    return this.#values.entries();
  }

  #costOf(field: string): number {
    const value = this.#values.get(field);
    return value === undefined ? 0 : fieldCost(field, value);
  }
}

function fieldCost(field: string, value: Bulk): number {
  return FIELD_OVERHEAD + nameLength(field) + value.byteLength;
}
