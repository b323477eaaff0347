// A file of the page, from the web server that it came from.
export async function load(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new Error("The web server does not answer. Is it still running?");
  }
  if (!answer.ok) throw new Error(`The web server has no ${path}: it answered ${answer.status}. Is the folder whole?`);
  return answer;
}
