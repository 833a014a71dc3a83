/** For how long a library that can serve stale values may do so, in seconds. */
export const GRACE = 60;
