import { chain, type MaybePromise } from "../core/async.js";
import type { SchemaIssue } from "../core/errors.js";

/** A schema as zod, valibot, arktype and others make them: the interface Standard Schema 1 (https://standardschema.dev). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The output of a schema, or why it refuses a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What a schema accepts: the type of what is stored. */
export type SchemaInput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];
/** What a schema makes of it: the type of what is answered. */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];

/** Whether a value has the interface of a schema. That of arktype is a function. */
export function isSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard: unknown = Reflect.get(value, "~standard");
  return typeof standard === "object" && standard !== null && typeof Reflect.get(standard, "validate") === "function";
}

/** Asks a schema about values, and once about a value that all callers of a near cache share. */
export class Validator {
  readonly #schema: StandardSchema["~standard"];
  /** Shared values that the schema answers as they are. */
  readonly #unchanged = new WeakSet<object>();

  constructor(schema: StandardSchema) {
    this.#schema = schema["~standard"];
  }

  /** What the schema says of a value. Throws or rejects as the schema does. */
  check(value: unknown): MaybePromise<SchemaResult<unknown>> {
    if (typeof value !== "object" || value === null || !Object.isFrozen(value)) return this.#schema.validate(value);
    if (this.#unchanged.has(value)) return { value };
    return chain(this.#schema.validate(value), (result) => {
      // A schema that copies what it accepts, as zod's do, changes nothing either.
      if (result.issues !== undefined || !isSameFrozen(value, result.value)) return result;
      this.#unchanged.add(value);
      return { value };
    });
  }
}

/** Values that are nested deeper, or in themselves, are validated each time. */
const MAX_DEPTH = 100;

/** Whether deeply frozen plain data equals other data. */
function isSameFrozen(frozen: unknown, other: unknown, depth = 0): boolean {
  if (typeof frozen !== "object" || frozen === null) return Object.is(frozen, other);
  if (typeof other !== "object" || other === null || depth > MAX_DEPTH || !Object.isFrozen(frozen)) return false;
  if (Object.getPrototypeOf(frozen) !== Object.getPrototypeOf(other)) return false;
  const keys = Object.keys(frozen);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every(
    (key) => Object.hasOwn(other, key) && isSameFrozen(Reflect.get(frozen, key), Reflect.get(other, key), depth + 1),
  );
}

/** The issues in a message: the first three, each with its place. */
export function listed(issues: readonly SchemaIssue[]): string {
  const texts = issues.slice(0, 3).map(({ message, path = [] }) => {
    const place = path.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return place === "" ? message : `${place}: ${message}`;
  });
  return texts.join("; ") + (issues.length > 3 ? `; and ${issues.length - 3} more` : "");
}
