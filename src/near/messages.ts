/** The keys that a message names; `undefined` where it names none, or can't be read: then all are meant. */
export function toKeys(payload: string): string[] | undefined {
  try {
    const keys: unknown = JSON.parse(payload);
    return Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === "string") ? keys : undefined;
  } catch {
    return undefined;
  }
}

/** What was appended to a log at once, as a message has it. */
export interface Published {
  readonly epoch: string;
  /** The number of what was appended before. */
  readonly after: number;
  readonly number: number;
  readonly records: readonly string[];
}

/** @param message epoch, numbers and records, with spaces between them */
export function readPublished(message: string): Published {
  const [epoch = "", after, number, ...records] = message.split(" ");
  return { epoch, after: Number(after), number: Number(number), records };
}
