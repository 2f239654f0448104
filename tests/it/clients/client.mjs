// A Node client of the kind people have: fetch, the body piped into a file.
// Usage: node client.mjs BASE POST_ADDRESS FILE
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const [base, post, path] = process.argv.slice(2);

const info = await fetch(`${base}/tiktok`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ url: post }),
});
const { code, message, data } = await info.json();
if (code !== 0) {
  throw new Error(message);
}

const streamData = data.video_data[0].streamData;
const stream = await fetch(`${base}/stream?data=${encodeURIComponent(streamData)}`);
if (!stream.ok) {
  throw new Error(`status ${stream.status}`);
}
await pipeline(Readable.fromWeb(stream.body), createWriteStream(path));
