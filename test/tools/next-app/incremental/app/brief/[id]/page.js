import { ask } from "../../../origin.js";

export const revalidate = 1;
export const generateStaticParams = () => [];

/** Fresh for a second. */
export default async function Page({ params }) {
  const { id } = await params;
  const { generation } = await ask(`brief-${id}`);
  return <p id="generation">{`brief ${generation}`}</p>;
}
