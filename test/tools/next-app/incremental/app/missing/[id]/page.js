import { notFound, redirect } from "next/navigation";
import { ask } from "../../../origin.js";

export const revalidate = 3600;
export const generateStaticParams = () => [];

/** A page that isn't there, or is elsewhere. */
export default async function Page({ params }) {
  const { id } = await params;
  await ask(`missing-${id}`);
  if (id.startsWith("moved")) redirect("/");
  notFound();
}
