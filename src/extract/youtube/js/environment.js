// What a player script finds around it, and how its builders are called. Evaluated before the script, so that what is
// taken here is the interpreter's own. Its value: builders -> (n or undefined, signature or undefined) -> [n, signature].
(() => {
  "use strict";
  const encode = encodeURIComponent;
  const decode = decodeURIComponent;
  const ownNames = Object.getOwnPropertyNames;
  const prototypeOf = Object.getPrototypeOf;
  const address = "https://www.youtube.com/watch?v=AAAAAAAAAAA";
  const longest = 4096;

  globalThis.window = globalThis;
  globalThis.self = globalThis;
  globalThis.document = {};
  globalThis.navigator = { userAgent: "" };
  globalThis.location = {
    hash: "",
    host: "www.youtube.com",
    hostname: "www.youtube.com",
    href: address,
    origin: "https://www.youtube.com",
    pathname: "/watch",
    protocol: "https:",
    search: "?v=AAAAAAAAAAA",
  };
  globalThis.XMLHttpRequest = function () {};

  const text = (value) => (typeof value === "string" && value.length <= longest ? value : null);

  // The transformation of `n` is the method of the address that is none of the usual four; the first one, in every
  // player known (yt-dlp's ejs 0.8.0). A later one is tried only when it leaves `n` alone.
  const transform = (url, n) => {
    const prototype = prototypeOf(url);
    for (const name of ownNames(prototype)) {
      if (name === "constructor" || name === "set" || name === "get" || name === "clone") continue;
      if (typeof prototype[name] !== "function") continue;
      url[name]();
      if (url.get("n") !== n) return;
    }
  };

  const call = (build, n, signature) => {
    const url = build(address, "s", signature === undefined ? undefined : encode(signature));
    const answer = [null, null];
    if (signature !== undefined) answer[1] = text(decode(url.get("s")));
    if (n !== undefined) {
      url.set("n", n);
      transform(url, n);
      answer[0] = text(url.get("n"));
    }
    return answer;
  };

  return (builders) => (n, signature) => {
    let found = null;
    let failure = new Error("no builder");
    for (let at = 0; at < builders.length; at++) {
      let answer;
      try {
        answer = call(builders[at], n, signature);
      } catch (error) {
        failure = error;
        continue;
      }
      if (found !== null && (found[0] !== answer[0] || found[1] !== answer[1])) {
        throw new Error("builders disagree");
      }
      found = answer;
    }
    if (found === null) throw failure;
    return found;
  };
})()
