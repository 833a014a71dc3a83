import { timerMs } from "../core/time.js";
import { type CurrentLogin, currentLogin, type Login, type LoginSettings } from "./credentials.js";
import { withDeadline } from "./resilience/deadline.js";

/** An open connection whose credentials may end. */
export interface Renewal {
  readonly settings: LoginSettings & { readonly commandTimeoutMs: number };
  readonly login: CurrentLogin;
  /** Logs the open connection in. */
  authenticate(login: Login): Promise<unknown>;
  /** Replaces the connection at its next use. */
  retire(): void;
}

/** Keeps logged-in connections from outliving their credentials. @returns a function that ends it with the connection */
export type Renew = (renewal: Renewal) => () => void;

/** The part of the time left after which credentials are renewed, and after which a failed renewal is tried again. */
const PART = { renewed: 0.8, failed: 0.25 } as const;
/** Part of each wait, at random, so that the processes of a fleet don't renew together. */
const JITTER = 0.1;
const SHORTEST_MS = 250;

/**
 * Logs in again ahead of the end of the credentials. The application's function may return the same credentials until
 * shortly before their end, so it is then asked again, in ever shorter intervals.
 */
export const renewInTime: Renew = ({ settings, login: first, authenticate, retire }) => {
  let login = first;
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const leftMs = (): number => login.endsMs - Date.now();

  const schedule = (part: number): void => {
    if (isStopped || login.endsMs === Infinity) return;
    const left = leftMs();
    const ms = Math.max(left * part * (1 - JITTER * Math.random()), Math.min(SHORTEST_MS, left));
    timer = setTimeout(run, timerMs(ms));
    timer.unref();
  };
  const renew = async (): Promise<void> => {
    const next = await currentLogin(settings);
    if (isStopped) return;
    const isSame = next.password === login.password && next.username === login.username;
    const { commandTimeoutMs } = settings;
    if (!isSame) await withDeadline(authenticate(next), commandTimeoutMs, () => new Error("no reply in time"));
    login = next;
  };
  const run = (): void => {
    if (leftMs() <= 0) retire();
    // The dial that replaces the connection reports why, if that fails as well.
    else
      renew().then(
        () => schedule(PART.renewed),
        () => schedule(PART.failed),
      );
  };
  schedule(PART.renewed);
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
};
