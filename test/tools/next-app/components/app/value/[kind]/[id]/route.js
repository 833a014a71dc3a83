import * as values from "../../../../values.js";

export async function GET(_request, { params }) {
  const { kind, id } = await params;
  const value = await values[kind](id);
  return Response.json(value.tail === undefined ? value : { ...value, tail: await value.tail });
}
