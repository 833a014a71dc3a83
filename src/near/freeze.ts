/** Freezes a value with all that is in it, if it is made of plain objects, arrays and primitive values. @returns whether it is */
export function freezeDeeply(value: unknown): boolean {
  // A set, as an object may be in several places, and within itself. What is added while it is gone through is gone through, too.
  const objects = new Set<object>();
  if (!add(objects, value)) return false;
  for (const one of objects) {
    if (!isPlain(one)) return false;
    for (const item of Object.values(one)) if (!add(objects, item)) return false;
  }
  for (const one of objects) Object.freeze(one);
  return true;
}

/** @returns whether the value may be part of JSON */
function add(objects: Set<object>, value: unknown): boolean {
  if (typeof value === "object" && value !== null) objects.add(value);
  return typeof value !== "function" && typeof value !== "symbol";
}

function isPlain(one: object): boolean {
  if (Array.isArray(one)) return true;
  const prototype: unknown = Object.getPrototypeOf(one);
  return prototype === Object.prototype || prototype === null;
}
