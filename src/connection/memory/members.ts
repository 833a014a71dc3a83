import { nameLength } from "./bulk.js";

/** What a member costs beside its text, in bytes, as measured on Node 24. */
const MEMBER_OVERHEAD = 44;

/** A set as stored. Knows its size in bytes. */
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
