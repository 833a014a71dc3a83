/** The same work, done in one of several ways. Values are plain JSON. */
export interface Store {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
  /** What is there, by its key. */
  getMany(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
  getOrSet(key: string, load: () => Promise<unknown>): Promise<unknown>;
  close(): Promise<void>;
}

export type OpenStore = (url: string) => Promise<Store>;

/** Lifetime of everything that is stored, in seconds. */
export const TTL = 3_600;

/** How long a call may take: with hundreds of large values in flight on a slow machine, longer than clients wait by default. */
export const PATIENCE_MS = 10_000;

/** What people write around a client that gets and sets text. */
export abstract class ByHand implements Store {
  protected abstract read(key: string): Promise<string | null>;
  protected abstract readMany(keys: readonly string[]): Promise<(string | null)[]>;
  protected abstract write(key: string, text: string): Promise<unknown>;
  abstract close(): Promise<void>;

  async get(key: string): Promise<unknown> {
    const text = await this.read(key);
    return text === null ? undefined : JSON.parse(text);
  }

  async set(key: string, value: unknown): Promise<void> {
    await this.write(key, JSON.stringify(value));
  }

  async getMany(keys: readonly string[]): Promise<Map<string, unknown>> {
    const texts = await this.readMany(keys);
    const found = new Map<string, unknown>();
    for (let i = 0; i < keys.length; i++) {
      const text = texts[i];
      if (typeof text === "string") found.set(keys[i] as string, JSON.parse(text));
    }
    return found;
  }

  async getOrSet(key: string, load: () => Promise<unknown>): Promise<unknown> {
    const text = await this.read(key);
    if (text !== null) return JSON.parse(text);
    const value = await load();
    await this.set(key, value);
    return value;
  }
}
