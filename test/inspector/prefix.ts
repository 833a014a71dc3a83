let count = 0;

/** A key prefix of its own for each test, as they share a server. */
export function uniquePrefix(): string {
  return `inspector-${process.pid}-${Date.now().toString(36)}-${++count}`;
}
