import { draftMode } from "next/headers";
import { ask } from "../../../origin.js";

export const revalidate = 3600;
export const generateStaticParams = () => [{ id: "built" }, { id: "purged" }];

/** A page that is static once it was generated. */
export default async function Page({ params }) {
  const { id } = await params;
  const { isEnabled } = await draftMode();
  const { generation } = await ask(isEnabled ? `draft-${id}` : `isr-${id}`);
  return <p id="generation">{`${isEnabled ? "draft" : "isr"} ${generation}`}</p>;
}
