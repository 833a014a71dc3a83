import type { Feed } from "./feed.js";

/** What views are given. */
export interface Context {
  readonly feed: Feed;
  /** Says something to screen readers, without moving the focus. */
  announce(text: string): void;
}

/** One view, while it is open. */
export interface View {
  readonly title: string;
  readonly element: HTMLElement;
  /** Called when the feed has something new, and each second. */
  update(): void;
  /** Called when the view is left. */
  end(): void;
  /** Called for `/`: the field to type in. */
  readonly search?: HTMLElement | undefined;
  /** Called for `r`, and for `p`. */
  refresh?(): void;
  pause?(): void;
}
