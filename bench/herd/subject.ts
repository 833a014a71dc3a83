/** A library at work: what its users would write to have a value cached that is costly to load. */
export interface Subject {
  getOrSet(key: string, load: () => Promise<unknown>): Promise<unknown>;
}

/** @param ttl lifetime of what is loaded, in seconds */
export type OpenSubject = (url: string, ttl: number) => Promise<Subject>;

/** For how long a library that can serve stale values may do so, in seconds. */
export const GRACE = 60;
