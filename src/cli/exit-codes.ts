/** What the process's exit code says. `docs/cli.md` and `--help` have the same table. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  problem: 4,
  notConfirmed: 5,
} as const;

/** The codes with what they mean, in the order of `--help`. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, "done"],
  [EXIT.failed, "the store can't be reached or refused, or the module of --config failed"],
  [EXIT.usage, "wrong command, option, argument or URL; nothing was sent"],
  [EXIT.notFound, "get, ttl: there is no such entry"],
  [EXIT.problem, "doctor: at least one problem"],
  [EXIT.notConfirmed, "a change was not confirmed: the answer was no, or there is no terminal to ask on"],
  [130, "interrupted by Ctrl-C (SIGINT); SIGTERM gives 143, SIGHUP 129"],
];

/** An error that ends the command with a message and an exit code of its own. */
export class Exit extends Error {
  override readonly name = "Exit";

  constructor(
    readonly code: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The user or the system has asked the process to end. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  constructor(readonly code: number) {
    super("interrupted");
  }
}

/** The reader of standard output has left, as `head` does. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
}
