import { draftMode } from "next/headers";

/** Turns draft mode on or off for the client. */
export async function GET(request) {
  const draft = await draftMode();
  if (new URL(request.url).searchParams.has("off")) draft.disable();
  else draft.enable();
  return new Response(null, { status: 204 });
}
