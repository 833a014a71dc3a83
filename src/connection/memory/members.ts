import { nameLength, SLOT_OVERHEAD } from "./bulk.js";

/** A set as stored. Knows its size in bytes. */
export class Members {
  readonly #names = new Set<string>();
  #byteLength = 0;

  static cost(names: Iterable<string>): number {
    let cost = 0;
    for (const name of names) cost += SLOT_OVERHEAD + nameLength(name);
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
