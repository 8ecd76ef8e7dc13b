// Keeps an open page true. Without it the page works as well: filters are a form, and it reloads itself.
//
// The server says everything; this fetches the page that is open again and again, and puts in what differs. Two things it does by itself: what was said
// ends at its time, whether or not the server still answers, and ages are counted on.
"use strict";

(() => {
  const main = document.getElementById("main");
  const news = document.getElementById("news");
  const liveness = document.getElementById("liveness");
  const filters = document.getElementById("filters");
  const rhythm = Number(main.dataset.poll);
  const longest = Math.max(60_000, rhythm);
  const patience = 10_000;

  document.documentElement.classList.add("js");

  // The server's clock: this machine's may be wrong. Between two answers the later of two ways to count holds, so that neither a clock that is set back
  // nor one that stands still while the machine sleeps makes anything hold for longer.
  const clock = {
    ahead: 0,
    read: Date.now(),
    at: performance.now(),
    now() {
      return Math.max(Date.now() + this.ahead, this.read + (performance.now() - this.at));
    },
    set(response, asked) {
      const told = Date.parse(response.headers.get("Date"));
      if (Number.isNaN(told)) return;
      // A date is cut to whole seconds, is as old as a cache says, and was told between question and answer. Of the moments that this leaves the latest
      // is taken: what ends does so up to a second early, and never late.
      const toldBy = told + 1000 * (1 + Number(response.headers.get("Age") || 0));
      const latest = Date.now() + this.ahead;
      if (latest < toldBy) this.ahead += toldBy - latest;
      else if (asked + this.ahead > toldBy) this.ahead += toldBy - (asked + this.ahead);
      this.read = Date.now() + this.ahead;
      this.at = performance.now();
    },
  };

  let tagKnown = null;
  let heardAt = null;
  let failures = 0;
  let timer = null;
  let asking = null;

  // What is fetched.

  async function ask() {
    clearTimeout(timer);
    asking?.abort();
    const mine = (asking = new AbortController());
    const cut = setTimeout(() => mine.abort("late"), patience);
    const asked = Date.now();
    try {
      const response = await fetch(location.href, {
        headers: tagKnown ? { "If-None-Match": tagKnown } : {},
        cache: "no-store",
        credentials: "same-origin",
        signal: mine.signal,
      });
      if (response.status !== 200 && response.status !== 304) throw new Error(String(response.status));
      const text = response.status === 200 ? await response.text() : null;
      if (mine !== asking) return;
      clock.set(response, asked);
      if (text !== null) {
        tagKnown = response.headers.get("ETag");
        show(new DOMParser().parseFromString(text, "text/html"));
      }
      failures = 0;
      heardAt = Date.now();
    } catch {
      if (mine !== asking) return;
      failures += 1;
    } finally {
      clearTimeout(cut);
    }
    if (mine !== asking) return;
    asking = null;
    later();
    tick();
  }

  function later() {
    clearTimeout(timer);
    if (document.hidden) return;
    const pause = Math.min(longest, rhythm * 2 ** Math.min(failures, 6));
    timer = setTimeout(ask, pause * (0.9 + Math.random() / 5));
  }

  // What is shown.

  const shown = new WeakMap(); // element -> the markup that it was made from, as the server wrote it
  const texts = [];

  function remember(root) {
    for (const part of root.querySelectorAll("[data-part], [data-list] > [id]")) shown.set(part, part.outerHTML);
  }

  function show(page) {
    const next = page.getElementById("main");
    if (!next) return;
    const open = new Set([...main.querySelectorAll("details[open]")].map(placeOf));
    for (const part of next.querySelectorAll("[data-part]")) replace(part);
    lists(document.getElementById("list"), next.querySelector("#list"));
    for (const details of main.querySelectorAll("details")) if (open.has(placeOf(details))) details.open = true;
    options(next);
    document.title = page.title;
    announce();
  }

  function placeOf(details) {
    return details.closest("[id]").id;
  }

  function replace(part) {
    const old = document.getElementById(part.id);
    if (old && part.id !== "list" && shown.get(old) !== part.outerHTML) put(old, part);
  }

  // What is listed; or, in its place, that there is nothing.
  function lists(here, next) {
    if (!here || !next) return;
    if ("list" in here.dataset && "list" in next.dataset) merge(here, next);
    else if (here.outerHTML !== next.outerHTML) {
      put(here, next);
      remember(main);
    }
  }

  function put(old, part) {
    const made = document.importNode(part, true);
    shown.set(made, part.outerHTML);
    const focused = old.contains(document.activeElement) ? pathTo(old, document.activeElement) : null;
    old.replaceWith(made);
    if (focused) follow(made, focused)?.focus({ preventScroll: true });
    return made;
  }

  // Where an element is within another, to give the focus back to the one that took its place.
  function pathTo(root, element) {
    const path = [];
    for (let at = element; at !== root; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
    return path;
  }

  function follow(root, path) {
    return path.reduce((at, index) => at?.children[index], root);
  }

  function merge(here, list) {
    const head = list.querySelector(":scope > thead");
    const oldHead = here.querySelector(":scope > thead");
    if (head && oldHead && head.outerHTML !== oldHead.outerHTML) oldHead.replaceWith(document.importNode(head, true));
    const wanted = [...list.querySelectorAll(":scope > [id]")];
    const names = new Set(wanted.map((part) => part.id));
    for (const old of [...here.querySelectorAll(":scope > [id]")]) if (!names.has(old.id)) old.remove();
    let before = null;
    for (const part of wanted) {
      let now = document.getElementById(part.id);
      if (!now) {
        now = document.importNode(part, true);
        shown.set(now, part.outerHTML);
      } else if (shown.get(now) !== part.outerHTML) {
        const said = saying(now);
        now = put(now, part);
        if (saying(now) !== said) {
          now.classList.add("changed");
          texts.push(saying(now));
        }
      }
      const place = before ? before.nextElementSibling : here.querySelector(":scope > [id]");
      if (place !== now) before ? before.after(now) : place ? place.before(now) : here.append(now);
      before = now;
    }
  }

  function saying(row) {
    const { name, stock, available } = row.dataset;
    const words = row.querySelector(".pill")?.textContent.toLowerCase() ?? stock;
    return name ? `${name}: ${words}${available ? `, ${available} left` : ""}` : "";
  }

  // Choices of the filters may grow; whoever is choosing is not disturbed.
  function options(next) {
    if (!filters) return;
    for (const select of filters.querySelectorAll("select")) {
      const other = next.querySelector(`#${select.id}`);
      if (!other || select === document.activeElement) continue;
      if ([...select.options].map((one) => one.value).join("\n") === [...other.options].map((one) => one.value).join("\n")) continue;
      const chosen = select.value;
      select.replaceChildren(...[...other.options].map((one) => document.importNode(one, true)));
      select.value = chosen;
    }
  }

  function announce(first) {
    const most = 3;
    const told = texts.splice(0);
    const lines = [first, ...told.slice(0, most), told.length > most ? `and ${told.length - most} more` : null];
    const text = lines.filter(Boolean).join(". ");
    if (text) news.textContent = text;
  }

  // What ends by itself.

  function tick() {
    const now = clock.now();
    let ended = false;
    for (const element of document.querySelectorAll("[data-valid-until]")) {
      if (Number(element.dataset.validUntil) > now) continue;
      expire(element);
      ended = true;
    }
    for (const time of document.querySelectorAll("time")) age(time, now);
    tell();
    if (!ended) return;
    announce();
    tagKnown = null;
    if (!document.hidden && !asking && failures === 0) {
      // Not at once: by the server's clock it may hold for a moment longer.
      clearTimeout(timer);
      timer = setTimeout(ask, 1000);
    }
  }

  function expire(element) {
    delete element.dataset.validUntil;
    shown.delete(element);
    for (const claim of element.querySelectorAll(".claim")) claim.remove();
    for (const stale of element.querySelectorAll(".stale")) stale.hidden = false;
    const stock = element.querySelector(".stock");
    if (stock) {
      stock.replaceChildren(document.getElementById("expired").content.cloneNode(true));
      element.dataset.stock = "Unknown";
      delete element.dataset.available;
      texts.push(saying(element));
    }
  }

  function age(time, now) {
    const moment = Date.parse(time.dateTime);
    const exact = time.title || time.textContent;
    const text = moment > now ? `in ${span(moment - now)}` : now - moment < 1500 ? "just now" : `${span(now - moment)} ago`;
    if (time.textContent === text) return;
    time.title = exact;
    time.textContent = text;
  }

  function span(milliseconds) {
    const seconds = Math.round(milliseconds / 1000);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86_400)} days`;
  }

  function tell() {
    const lost = document.documentElement.classList.toggle("lost", failures > 0);
    const since = heardAt === null ? "" : ` for ${span(Date.now() - heardAt)}`;
    const text = lost ? `The server has not answered${since}.` : "Up to date; changes appear by themselves.";
    if (liveness.textContent !== text) liveness.textContent = text;
  }

  // What visitors do.

  let typing = null;

  function filter() {
    clearTimeout(typing);
    const fields = [...new FormData(filters)].filter(([name, value]) => value.trim() && !(name === "sort" && value === "name"));
    const query = new URLSearchParams(fields).toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    document.getElementById("clear").hidden = !fields.some(([name]) => name !== "sort");
    tagKnown = null;
    ask().then(() => announce(document.getElementById("count").textContent));
  }

  filters?.addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
  });
  filters?.addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(filter, event.target.type === "search" ? 250 : 0);
  });
  document.addEventListener("visibilitychange", () => {
    tick();
    document.hidden ? clearTimeout(timer) : ask();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) ask();
  });
  addEventListener("online", () => ask());

  // Where there is little room, what is for sale comes first.
  if (filters && document.getElementById("clear").hidden && matchMedia("(max-width: 40rem)").matches) {
    filters.closest("details").open = false;
  }

  remember(document);
  setInterval(tick, 1000);
  ask();
})();
