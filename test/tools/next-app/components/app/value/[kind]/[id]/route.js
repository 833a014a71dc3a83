import { brief, local, nested, refreshed, remote, streamed } from "../../../../values.js";

const kinds = { brief, local, nested, refreshed, remote, streamed };

export async function GET(_request, { params }) {
  const { kind, id } = await params;
  const value = await kinds[kind](id);
  return Response.json(value.tail === undefined ? value : { ...value, tail: await value.tail });
}
