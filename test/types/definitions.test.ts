import { type } from "arktype";
import * as v from "valibot";
import { expectTypeOf, it } from "vitest";
import * as z from "zod";
import { type Cache, type Definition, define, wrap } from "../../src/index.js";

declare const cache: Cache;

interface Input {
  name: string;
  at: string;
}

interface Output {
  name: string;
  at: Date;
}

const key = (id: number) => `event:${id}`;
const load = async (): Promise<Input> => ({ name: "a", at: "2030-01-01" });
const toDate = (text: string): Date => new Date(text);
const yearOf = ({ at }: Output): readonly string[] => [`year:${at.getUTCFullYear()}`];

const schemas = {
  zod: z.object({ name: z.string(), at: z.string().transform(toDate) }),
  valibot: v.object({ name: v.string(), at: v.pipe(v.string(), v.transform(toDate)) }),
  valibotAsync: v.objectAsync({
    name: v.string(),
    at: v.pipeAsync(
      v.string(),
      v.transformAsync(async (text) => toDate(text)),
    ),
  }),
  arktype: type({ name: "string", at: type("string").pipe(toDate) }),
};

it("a definition answers its schema's output and stores its input, whichever library made the schema", () => {
  type Events = Definition<number, Output, Input>;
  expectTypeOf(() => define(cache, { key, load, schema: schemas.zod, tags: yearOf })).returns.toEqualTypeOf<Events>();
  expectTypeOf(() =>
    define(cache, { key, load, schema: schemas.valibot, tags: yearOf }),
  ).returns.toEqualTypeOf<Events>();
  expectTypeOf(() =>
    define(cache, { key, load, schema: schemas.valibotAsync, tags: yearOf }),
  ).returns.toEqualTypeOf<Events>();
  expectTypeOf(() =>
    define(cache, { key, load, schema: schemas.arktype, tags: yearOf }),
  ).returns.toEqualTypeOf<Events>();
});

it("the tags of a definition are made of its schema's output", () => {
  const tags = (value: Input): readonly string[] => [value.at];
  // @ts-expect-error The output has a Date there.
  expectTypeOf(() => define(cache, { key, load, schema: schemas.zod, tags })).toBeFunction();
  // @ts-expect-error
  expectTypeOf(() => define(cache, { key, load, schema: schemas.arktype, tags })).toBeFunction();
});

it("a wrapped function takes a schema whose output is its type, and no other", () => {
  const find = async (id: number): Promise<Output> => ({ name: String(id), at: new Date(0) });
  expectTypeOf(() => wrap(cache, find, { key: "find", schema: schemas.valibot })).toBeFunction();
  // @ts-expect-error
  expectTypeOf(() => wrap(cache, find, { key: "find", schema: z.object({ name: z.string() }) })).toBeFunction();
});
