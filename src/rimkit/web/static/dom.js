// Elements of the page by their name, and what is said in them.

export const $ = (id) => document.getElementById(id);

export function say(text, bad = false, where = "status") {
  $(where).textContent = text;
  $(where).classList.toggle("bad", bad);
}
