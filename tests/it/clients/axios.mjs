// A Node client in the manner of axios: the body of a post without a content type, as browsers send it, and the answer
// as a stream of Node.
// Usage: node axios.mjs BASE POST_ADDRESS FILE
import { createWriteStream } from "node:fs";
import http from "node:http";

const [base, post, path] = process.argv.slice(2);

function request(address, options, body) {
  return new Promise((resolve, reject) => {
    const sent = http.request(address, options, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

async function text(response) {
  response.setEncoding("utf8");
  let all = "";
  for await (const part of response) {
    all += part;
  }
  return all;
}

const info = await request(`${base}/tiktok`, { method: "POST" }, JSON.stringify({ url: post }));
const { data } = JSON.parse(await text(info));
const link = data.video_data[0].url;

const stream = await request(link, {});
if (stream.statusCode !== 200) {
  throw new Error(`status ${stream.statusCode}`);
}
const writer = createWriteStream(path);
stream.pipe(writer);
await new Promise((resolve, reject) => {
  writer.on("finish", resolve);
  writer.on("error", reject);
  stream.on("aborted", () => reject(new Error("the download broke off")));
});
