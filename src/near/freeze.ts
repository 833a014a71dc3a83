/** Deeper values are not frozen, and so not shared. */
const DEEPEST = 200;

/** Freezes a value with all that is in it, if it is made of plain objects, arrays and primitive values. @returns whether it is */
export function freezeDeeply(value: unknown): boolean {
  if (!isJsonShaped(value, 0)) return false;
  freeze(value);
  return true;
}

function isJsonShaped(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "function" && typeof value !== "symbol";
  if (depth > DEEPEST) return false;
  if (Array.isArray(value)) return value.every((item) => isJsonShaped(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every((item) => isJsonShaped(item, depth + 1));
}

function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  for (const item of Object.values(value)) freeze(item);
  Object.freeze(value);
}
