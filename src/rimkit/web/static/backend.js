// Talks to the server. The page without a server has another file in this one's place.

const visitor = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2);

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  let detail = `The server answered ${answer.status}.`;
  try { detail = (await answer.json()).detail || detail; } catch { /* not JSON: keep the number */ }
  throw new Error(detail);
}

export const where = "The images go to the server that runs this page, and nowhere else.";
export const kinds = ["noise", "photograph", "missing", "scratches", "painted", "blur", "smaller", "projections"];
export const opens = "any";

export async function about() {
  return (await ask("api/about")).json();
}

export async function open(file, title) {
  const path = `api/images?title=${encodeURIComponent(title)}`;
  return (await ask(path, { method: "POST", body: file })).json();
}

export function preview(image) {
  return `api/images/${image.name}`;
}

export async function look(image) {
  return decoded(await ask(preview(image)));
}

async function decoded(answer) {
  return createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

// Returns what happens, as it happens, and the pictures that come of it.
export async function run(wish) {
  const answer = await ask("api/jobs", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...wish, visitor }),
  });
  const { name } = await answer.json();
  const path = `api/jobs/${name}`;
  let over = false;
  const leave = () => { if (!over) fetch(path, { method: "DELETE", keepalive: true }).catch(() => {}); };
  addEventListener("pagehide", leave);

  async function* events() {
    let seen = 0;
    let ahead = null;
    let failures = 0;
    try {
      while (!over) {
        let news;
        try {
          news = await (await ask(`${path}?after=${seen}`)).json();
          failures = 0;
        } catch (error) {
          failures += 1;
          if (failures > 3) throw error;
          await new Promise((done) => setTimeout(done, 1000 * failures));
          continue;
        }
        if (news.ahead !== null && news.ahead !== ahead) {
          ahead = news.ahead;
          yield { kind: "waiting", ahead };
        }
        seen += news.events.length;
        over = ["done", "failed", "cancelled"].includes(news.status);
        yield* news.events;
      }
    } finally {
      leave();
      over = true;
      removeEventListener("pagehide", leave);
    }
  }

  return {
    events,
    cancel: leave,
    async picture(file) {
      return decoded(await ask(`${path}/${file}`));
    },
    async result() {
      const url = `${path}/result`;
      return { url, title: "" };  // the server says the name
    },
  };
}
