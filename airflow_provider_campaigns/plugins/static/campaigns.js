// The campaign page's script: Airflow's theme, times in the reader's zone, and what is new, without a reload.
"use strict";

const EVERY = 5000;
const embedded = window.parent !== window;

// Airflow shows the page in a frame of the same origin; its root element says which theme was chosen.
function followTheme() {
  if (!embedded) return;
  try {
    const root = window.parent.document.documentElement;
    const follow = () => {
      const dark = root.classList.contains("dark") || root.dataset.theme === "dark";
      document.documentElement.dataset.theme = dark ? "dark" : "light";
    };
    new MutationObserver(follow).observe(root, { attributes: true, attributeFilter: ["class", "data-theme"] });
    follow();
  } catch {
    // Another origin: the system's choice holds.
  }
}

function localTimes(within) {
  for (const time of within.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}

// A frame with Airflow's sandbox may neither leave itself nor open a window; a link of the page around it may.
function leaveFrame(event) {
  const link = event.target.closest("a[target]");
  if (!embedded || !link || event.defaultPrevented) return;
  event.preventDefault();
  const outside = window.parent.document.createElement("a");
  outside.href = link.href;
  outside.rel = link.rel;
  outside.target = link.target === "_blank" || event.ctrlKey || event.metaKey ? "_blank" : "_self";
  window.parent.document.body.append(outside);
  outside.click();
  outside.remove();
}

function say(text) {
  document.getElementById("status").textContent = text;
}

async function refresh() {
  try {
    const reply = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const old = document.getElementById("live");
    const next = page.getElementById("live");
    if (!old || !next) throw new Error(reply.statusText);
    localTimes(next);
    if (old.innerHTML !== next.innerHTML) {
      const focused = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
      old.replaceChildren(...next.childNodes);
      if (focused) old.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
    say(`Updated ${new Date().toLocaleTimeString()}`);
  } catch {
    say("Not updated: Airflow does not answer");
  }
}

async function refreshRegularly() {
  if (!document.hidden) await refresh();
  setTimeout(refreshRegularly, EVERY);
}

followTheme();
document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  document.addEventListener("click", leaveFrame);
  document.getElementById("refresh").addEventListener("click", refresh);
  setTimeout(refreshRegularly, EVERY);
});
