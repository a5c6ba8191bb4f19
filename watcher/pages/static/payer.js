// The page works without it. This keeps it up to date, counts down, and copies.
// Whatever is shown comes from the server: each piece of news only makes it ask for this very page again.
"use strict";

const LEAST = 2000;
const MOST = 60000;
const DONE = 2000;
const SOON = 500;

const news = document.getElementById("news");
const lost = document.getElementById("lost"); // shown while the server cannot be reached
let shown = live().innerHTML; // as the server wrote it, without what is added here
let offset = Date.parse(live().dataset.now) - Date.now(); // from this device's clock to the server's
let wait = LEAST;
let asking = null;
let again = false;
let over = "";
let due = 0;
let streamless = false;
let stream = null;
let unseen = 0;

function live() {
  return document.getElementById("live");
}

// --- what is added to the server's page

function enhance() {
  for (const button of live().querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
  count();
}

function count() {
  const deadline = document.getElementById("deadline");
  if (!deadline) return;
  const seconds = Math.ceil((Date.parse(deadline.dateTime) - Date.now() - offset) / 1000);
  document.getElementById("left").textContent = seconds > 0 ? spelled(seconds) : "";
  if (seconds <= 0 && over !== deadline.dateTime) {
    over = deadline.dateTime;
    refresh();
  }
}

function spelled(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  getSelection().selectAllChildren(source); // whoever cannot be helped further copies by hand
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    if (!document.execCommand("copy")) return; // an insecure page, or a frame without the permission
  }
  const label = button.textContent;
  if (label === button.dataset.done) return;
  button.textContent = button.dataset.done;
  news.textContent = `${button.dataset.done}: ${source.textContent}`;
  setTimeout(() => {
    button.textContent = label;
  }, DONE);
}

// --- news

async function refresh() {
  if (asking) {
    again = true; // once more when this is answered: what it brings may be old already
    return;
  }
  asking = new AbortController();
  const timer = setTimeout(() => asking.abort(), MOST);
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: asking.signal });
    say(answer.status >= 500);
    if (answer.ok) {
      if (!streamless) wait = LEAST;
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } else {
      later(Number(answer.headers.get("Retry-After")) * 1000);
    }
  } catch {
    say(true);
    later(0);
  } finally {
    clearTimeout(timer);
    asking = null;
  }
  if (again) {
    again = false;
    refresh();
  }
}

function take(page) {
  const fresh = page.getElementById("live");
  if (!fresh) return;
  offset = Date.parse(fresh.dataset.now) - Date.now();
  if (fresh.innerHTML === shown) {
    live().dataset.version = fresh.dataset.version;
    return;
  }
  if (live().querySelector(":active")) { // a click that ends on another button than it began on is none
    setTimeout(refresh, SOON);
    return;
  }
  shown = fresh.innerHTML;
  const changed = fresh.dataset.state !== live().dataset.state || depth(fresh) !== depth(live());
  const focused = live().contains(document.activeElement) ? document.activeElement.id : "";
  live().replaceWith(document.adoptNode(fresh));
  document.title = page.title;
  enhance();
  if (focused) focusAgain(focused);
  if (changed) news.textContent = told();
}

function say(isLost) {
  if (lost.hidden !== isLost) return; // said already
  lost.hidden = !isLost;
  lost.textContent = isLost ? lost.dataset.words : "";
}

function told() {
  const parts = live().querySelectorAll("#headline, label[for=depth]");
  return [...parts].map((part) => part.textContent).join(". ");
}

function depth(page) {
  return page.querySelector("label[for=depth]")?.textContent;
}

function focusAgain(id) {
  const target = document.getElementById(id) || document.getElementById("headline");
  if (target.id === "headline") target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

// --- when to ask

function listen() {
  stream = new EventSource(live().dataset.events);
  stream.addEventListener("open", () => {
    wait = LEAST;
    if (!lost.hidden) refresh();
  });
  stream.addEventListener("message", (event) => {
    if (event.lastEventId !== live().dataset.version) refresh();
  });
  stream.addEventListener("error", () => {
    if (stream) later(0, stream.readyState === EventSource.CLOSED); // refused: it does not try again by itself
  });
}

// A browser has six connections for one site, and other tabs need some, too.
function look() {
  clearTimeout(unseen);
  if (document.hidden) {
    unseen = setTimeout(rest, MOST);
    return;
  }
  if (!stream) listen();
  refresh();
}

function rest() {
  if (stream) stream.close();
  stream = null;
}

// Asks again after some time: at least `least` milliseconds, longer each time, and not all pages at once.
function later(least, refused = false) {
  streamless = streamless || refused;
  if (due) return;
  const pause = Math.max(least || 0, wait) * (1 + Math.random() / 2);
  wait = Math.min(wait * 2, MOST);
  due = setTimeout(async () => {
    due = 0;
    await refresh();
    if (streamless && !due) {
      streamless = false;
      if (stream) listen();
    }
  }, pause);
}

enhance();
setInterval(count, 1000);
addEventListener("pageshow", (event) => {
  if (event.persisted) refresh();
});
if (window.EventSource) {
  listen();
  document.addEventListener("visibilitychange", look);
} else {
  setInterval(refresh, MOST / 2);
}
