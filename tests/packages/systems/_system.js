// A system's two ends in one file: `serve` says on which port it listens and stays,
// `talk URL` is its client.
import process from "node:process";

export async function system({ serve, talk }) {
  const [role, url, ...traits] = process.argv.slice(2);
  if (role === "serve") {
    console.log(`listening ${await serve(url)}`);
    return;
  }
  await talk(new URL(url), traits);
  console.log("ok");
  process.exit();
}
