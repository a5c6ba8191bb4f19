// What JavaScript adds to the dashboard: parts that follow by themselves, and buttons that copy. Nothing here
// knows what is shown: a part asks its own page for its newest state, and the server renders it.
(() => {
  "use strict";

  const frame = document.querySelector("[data-events]");
  if (!frame) return;
  document.documentElement.classList.add("js");

  const OFTEN = 1000; // ms between two refreshes, at least
  const ANYWAY = 15000; // ms after which parts are refreshed without word: confirmations and lag tell no event
  const LONGEST = 30000; // ms between two attempts to listen, at most
  const hint = document.querySelector(".live-hint");
  const said = document.querySelector(".said");

  let source = null;
  let failures = 0;
  let reconnect = 0;
  let due = 0;
  let last = 0;

  const parts = () => document.querySelectorAll("[data-live]");

  const say = (state, words) => {
    if (!hint || hint.dataset.state === state) return;
    hint.dataset.state = state;
    hint.textContent = words;
  };

  // Refresh

  const refresh = () => {
    due = 0;
    last = Date.now();
    if (!document.hidden) document.body.dispatchEvent(new CustomEvent("changed"));
  };

  const changed = () => {
    if (!due) due = setTimeout(refresh, Math.max(0, last + OFTEN - Date.now()));
  };

  // A part in which somebody types, selects text, holds a button down or has a dialog open is left alone, and asked
  // for again soon: a click that ends on another button than it began on is none.
  const inUse = (part) => {
    const active = document.activeElement;
    const typing = active && part.contains(active) && active.matches("input, select, textarea");
    const selection = getSelection();
    const marked = selection && !selection.isCollapsed && selection.containsNode(part, true);
    return typing || marked || part.querySelector(":active, dialog[open]");
  };

  let kept = null; // what a swap would lose

  const keep = (part) => {
    const focused = document.activeElement;
    kept = {
      focused: focused && part.contains(focused) ? focused.outerHTML : null,
      open: [...part.querySelectorAll("details[id][open]")].map((one) => one.id),
      scrolled: [...part.querySelectorAll(".wide")].map((one) => one.scrollLeft),
    };
  };

  const restore = (part) => {
    kept.open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    part?.querySelectorAll(".wide").forEach((one, at) => { one.scrollLeft = kept.scrolled[at] ?? 0; });
    if (kept.focused && !part?.contains(document.activeElement)) {
      const same = [...(part?.querySelectorAll("a, button, [tabindex]") ?? [])].find((one) => one.outerHTML === kept.focused);
      same?.focus({ preventScroll: true });
    }
    kept = null;
  };

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    // It is no use of the session: nobody may be there.
    if (detail.triggeringEvent?.type === "changed") detail.headers["X-Refresh"] = "live";
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!document.hidden && !inUse(event.detail.elt)) return;
    event.preventDefault();
    changed();
  });

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.xhr.status === 401) return location.reload();
    if (inUse(detail.target)) {
      detail.shouldSwap = false;
      return changed();
    }
    return keep(detail.target);
  });

  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (kept) restore(document.getElementById(detail.target.id) ?? detail.elt);
  });

  // Listen

  const listen = () => {
    clearTimeout(reconnect);
    if (source || document.hidden || !parts().length) return;
    source = new EventSource(frame.dataset.events);
    source.addEventListener("open", () => {
      failures = 0;
      say("live", "live");
      changed(); // what happened before it was open
    });
    source.addEventListener("changed", changed);
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) changed(); // refused: is the session over?
      stop();
      failures += 1;
      say("offline", "offline");
      const wait = Math.min(LONGEST, OFTEN * 2 ** (failures - 1));
      reconnect = setTimeout(listen, wait * (0.75 + Math.random() / 2));
    });
  };

  const stop = () => {
    if (source) source.close();
    source = null;
  };

  // A browser opens few connections to one server: a page that nobody sees holds none.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => event.persisted && listen());
  addEventListener("online", listen);
  setInterval(() => source && changed(), ANYWAY);
  listen();

  // Copy

  const answering = new WeakSet(); // buttons that say what became of it: for so long that is their name

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button || answering.has(button)) return;
    answering.add(button);
    const words = button.textContent;
    const name = button.getAttribute("aria-label");
    const copied = await navigator.clipboard?.writeText(button.dataset.copy).then(() => true, () => false);
    const text = button.parentElement.querySelector("code");
    if (!copied && text) getSelection().selectAllChildren(text); // browsers copy only over https, or when allowed
    button.textContent = copied ? "Copied" : "Selected";
    button.removeAttribute("aria-label");
    if (said) said.textContent = button.textContent;
    setTimeout(() => {
      button.textContent = words;
      if (name) button.setAttribute("aria-label", name);
      answering.delete(button);
    }, 2000);
  });
})();
