import type { Argument, Command } from "../../core/command.js";
import type { ReplyError } from "../../core/errors.js";
import { argumentText, Bulk, toName } from "./bulk.js";
import { refusals } from "./refusals.js";

const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const SAFE_DIGITS = 15;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** A command's arguments, each read as what it stands for. Counted from 1, as 0 is the name. */
export class Args {
  readonly #command: Command;

  constructor(command: Command) {
    this.#command = command;
  }

  get name(): string {
    return this.#command[0];
  }

  /** With the name. */
  get length(): number {
    return this.#command.length;
  }

  /** Keys, members and fields. */
  nameAt(index: number): string {
    return toName(this.#at(index));
  }

  namesFrom(index: number): string[] {
    return this.#command.slice(index).map(toName);
  }

  bulk(index: number): Bulk {
    return Bulk.from(this.#at(index));
  }

  text(index: number): string {
    return argumentText(this.#at(index));
  }

  /** An option's name, in capitals. */
  word(index: number): string {
    return this.text(index).toUpperCase();
  }

  /** A 64-bit integer; beyond 2^53 the nearest number. */
  integer(index: number, refusal = refusals.notAnInteger): number {
    const text = this.text(index);
    if (!isInt64(text)) throw refusal();
    return Number(text);
  }

  int64(index: number): bigint {
    return parseInt64(this.text(index), refusals.notAnInteger);
  }

  #at(index: number): Argument {
    const argument = this.#command[index];
    if (argument === undefined) throw refusals.syntax();
    return argument;
  }
}

/** @throws what `refusal` makes when it is not a 64-bit integer as the server writes them */
export function parseInt64(text: string, refusal: () => ReplyError): bigint {
  if (!isInt64(text)) throw refusal();
  return BigInt(text);
}

export function inInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

function isInt64(text: string): boolean {
  return INTEGER.test(text) && (text.length <= SAFE_DIGITS || inInt64(BigInt(text)));
}
