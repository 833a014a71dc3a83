import { ask } from "../../../origin.js";

export const dynamic = "force-static";
export const revalidate = 3600;
export const generateStaticParams = () => [];

/** A handler whose responses are static. */
export async function GET(_request, { params }) {
  const { id } = await params;
  return Response.json(await ask(`handler-${id}`), { headers: { "x-handler": id } });
}
