// Keeps an open page true: swaps panels whose content changed, says how old each is, and asks again by itself when the
// server was away. Without it pages work too; they are then as of when they were opened.
"use strict";

const panels = document.querySelector(".panels");
const form = document.querySelector("form.filters");
const known = new Map();
let isPaused = false;
let address = location.search;

// --- how old -------------------------------------------------------------------------------------------------------

let ahead = 0; // this clock against the server's, in milliseconds

function age(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

function tellAges(root = document) {
  for (const mark of root.querySelectorAll(".fresh")) {
    const moment = mark.querySelector("time");
    const seconds = (Date.now() - ahead - Date.parse(moment.dateTime)) / 1000;
    const isStale = seconds > Number(mark.dataset.stale);
    const words = `${isStale ? "stale, " : ""}${age(seconds)}`;
    if (moment.textContent !== words) moment.textContent = words;
    moment.title = `complete up to ${moment.dateTime.slice(0, 19).replace("T", " ")} UTC`;
    mark.closest(".panel").classList.toggle("stale", isStale);
  }
}

// --- swapping ------------------------------------------------------------------------------------------------------

function isInUse(panel) {
  const selection = getSelection();
  return selection && !selection.isCollapsed && panel.contains(selection.anchorNode);
}

function swap(panel, html) {
  const open = [...panel.querySelectorAll("details")].map((each) => each.open);
  const scrolled = [...panel.querySelectorAll(".scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focusable = "a, button, summary, input, [tabindex]";
  const focused = [...panel.querySelectorAll(focusable)].indexOf(document.activeElement);
  panel.innerHTML = html;
  panel.querySelectorAll("details").forEach((each, at) => { each.open = open[at] ?? false; });
  panel.querySelectorAll(".scroll").forEach((each, at) => {
    [each.scrollLeft, each.scrollTop] = scrolled[at] ?? [0, 0];
  });
  if (focused >= 0) panel.querySelectorAll(focusable)[focused]?.focus({ preventScroll: true });
}

function show(name, part) {
  const panel = document.getElementById(`p-${name}`);
  if (!panel || known.get(name) === part.html || isInUse(panel)) return;
  if (part.state === "error" && panel.dataset.state === "ok") return; // the last figures stay, and grow stale
  known.set(name, part.html);
  swap(panel, part.html);
  panel.dataset.state = part.state;
}

async function look() {
  const asked = address;
  const lost = document.getElementById("lost");
  try {
    const answer = await fetch(`/data/${panels.dataset.page}${asked}`, { signal: AbortSignal.timeout(30000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const found = await answer.json();
    if (asked !== address) return; // the filters have changed since
    ahead = Date.now() - Date.parse(found.at);
    document.getElementById("away").hidden = !found.away;
    lost.hidden = true;
    for (const [name, part] of Object.entries(found.panels)) show(name, part);
    const looked = document.getElementById("looked");
    looked.dateTime = found.at;
    looked.textContent = found.at.slice(11, 19);
  } catch {
    if (asked === address) lost.hidden = false;
  }
  tellAges();
}

async function keepLooking() {
  for (;;) {
    await new Promise((done) => setTimeout(done, Number(panels.dataset.refresh) * 1000));
    if (!isPaused && !document.hidden) await look();
  }
}

// --- filters -------------------------------------------------------------------------------------------------------

function chosen() {
  const values = [...new FormData(form)].filter(([, value]) => value !== "");
  return new URLSearchParams(values).toString();
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.search = chosen(); // without the empty ones
  });
  for (const control of form.querySelectorAll("select")) {
    control.addEventListener("change", () => form.requestSubmit());
  }
  const typed = form.querySelector("input[data-live]");
  let waiting;
  typed?.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      address = `?${chosen()}`;
      history.replaceState(null, "", location.pathname + address);
      look();
    }, 250);
  });
}

// --- buttons -------------------------------------------------------------------------------------------------------

const pause = document.getElementById("pause");
if (panels) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
    if (!isPaused) look();
  });
  tellAges();
  setInterval(tellAges, 1000);
  keepLooking();
}

// Where the menu is wider than the screen, the page's own entry is to be seen.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

const theme = document.getElementById("theme");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
function isDark() {
  const own = document.documentElement.dataset.theme;
  return own ? own === "dark" : prefersDark.matches;
}
function nameTheme() { theme.textContent = isDark() ? "Light" : "Dark"; }
theme.hidden = false;
theme.addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  nameTheme();
});
prefersDark.addEventListener("change", nameTheme);
nameTheme();
