// What the page does in the browser: files are sent one by one, citations point at their evidence, keys rate.
"use strict";
window.lumenscribe = (() => {
  const make = (tag, attributes = {}, text = "") => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  };

  const place_of = (kind, token = "") => new URL(token ? `${kind}/${token}` : kind, document.baseURI).href;
  const forget = (kind, token) => fetch(place_of(kind, token), { method: "DELETE" });
  async function send(file, kind) {
    const answer = await fetch(place_of(kind), {
      method: "POST",
      body: file,
      headers: { "Content-Type": "application/octet-stream", "X-File-Name": encodeURIComponent(file.name || "image") },
    });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.detail || `The server said ${answer.status}.`);
    return said;
  }

  // A place for files. `props.value` is the list of their tokens as JSON, which is what the server gets.
  function drop(element, props, watch) {
    const place = element.querySelector(".ls-drop");
    const zone = place.querySelector(".ls-zone"), input = place.querySelector("input"), shown = place.querySelector("ul");
    const status = place.querySelector("[role=status]");
    const most = Number(place.dataset.most), mib = Number(place.dataset.mib), kind = place.dataset.kind;
    let held = [];

    const tell = (text, wrong = false) => { status.textContent = text; status.classList.toggle("is-wrong", wrong); };
    const changed = () => {
      place.classList.toggle("has-files", held.length > 0);
      props.value = JSON.stringify(held);
    };
    const remove = (token, item) => {
      held = held.filter((one) => one !== token);
      item.remove();
      forget(kind, token);
      changed();
      tell("Removed.");
      input.focus();
    };
    const show = (file) => {
      const item = make("li");
      if (file.preview) item.append(make("img", { src: file.preview, alt: `Preview of ${file.name}` }));
      const words = item.appendChild(make("div", { class: "ls-held" }));
      words.append(make("span", { class: "ls-held-name" }, file.name), make("span", { class: "ls-held-about" }, file.about ?? `${(file.bytes / 2 ** 20).toFixed(2)} MiB`));
      const away = make("button", { type: "button", class: "ls-quiet", "aria-label": `Remove ${file.name}` }, "Remove");
      away.addEventListener("click", () => remove(file.token, item));
      words.append(away);
      shown.append(item);
      held.push(file.token);
    };
    const take = async (files) => {
      const wanted = [...files];
      if (!wanted.length) return;
      if (most === 1) { held.forEach((token) => forget(kind, token)); held = []; shown.replaceChildren(); }
      place.setAttribute("aria-busy", "true");
      const problems = [];
      for (const file of wanted) {
        if (held.length >= most) { problems.push(most === 1 ? "One file at a time." : `${most} files at most.`); break; }
        if (file.size > mib * 2 ** 20) { problems.push(`${file.name} is over the limit of ${mib} MiB.`); continue; }
        tell(`Reading ${file.name} …`);
        try { show(await send(file, kind)); } catch (error) { problems.push(error.message); }
      }
      place.removeAttribute("aria-busy");
      tell(problems.join(" ") || (held.length === 1 ? "1 file is ready." : `${held.length} files are ready.`), problems.length > 0);
      input.value = "";
      changed();
    };
    watch("value", () => {  // the server has taken the files and let go of them
      if (props.value !== "[]" || !held.length) return;
      held = [];
      shown.replaceChildren();
      place.classList.remove("has-files");
      tell("");
    });
    input.addEventListener("change", () => take(input.files));
    for (const name of ["dragenter", "dragover"]) place.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("is-over"); });
    for (const name of ["dragleave", "drop"]) place.addEventListener(name, () => zone.classList.remove("is-over"));
    place.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
    place.addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); take(event.clipboardData.files); } });
  }

  // Citations: hovering lights up what belongs together, pressing goes to the evidence, Escape goes back.
  let from = null;
  const article = (node) => node.closest?.(".ls-said");
  const light = (node, on) => {
    const all = article(node);
    const number = node.dataset?.evidence ?? node.dataset?.number;
    if (!all || !number) return;
    for (const card of all.querySelectorAll(`.ls-card[data-number="${number}"]`)) card.classList.toggle("is-lit", on);
    for (const cite of all.querySelectorAll(`.ls-cite[data-evidence="${number}"]`)) cite.classList.toggle("is-lit", on);
    for (const sentence of all.querySelectorAll(".ls-sentence")) {
      if (sentence.dataset.cites.split(" ").includes(number)) sentence.classList.toggle("is-lit", on);
    }
  };
  const pointed = (event) => event.target.closest?.(".ls-cite, .ls-card");
  for (const [name, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]]) {
    document.addEventListener(name, (event) => { const node = pointed(event); if (node) light(node, on); });
  }
  document.addEventListener("click", (event) => {
    const cite = event.target.closest?.(".ls-cite");
    const card = cite && article(cite)?.querySelector(`.ls-card[data-number="${cite.dataset.evidence}"]`);
    if (!card) return;
    from = cite;
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && from?.isConnected && event.target.closest?.(".ls-card")) { from.focus(); from = null; }
  });

  // Rating: buttons and keys say the same. Scores are gathered here, and sent once all three are given.
  const typing = (node) => node.closest?.("textarea, select, input:not([type=radio]), [contenteditable]");
  function rate(element, trigger, watch, press) {
    const field = (name) => element.querySelector(`textarea[name=${name}]`)?.value ?? "";
    const groups = () => [...element.querySelectorAll(".ls-scores")];
    const chosen = (group) => group.querySelector("input:checked")?.value;
    const send = (what) => {
      const scores = Object.fromEntries(groups().map((group) => [group.dataset.question, chosen(group)]));
      trigger(press, { do: what, scores, comment: field("comment"), edited: field("edited") });
    };
    const current = () => groups().find((group) => group.contains(document.activeElement)) ?? groups().find((group) => !chosen(group)) ?? groups()[0];
    const go = (group) => group && (group.querySelector("input:checked") ?? group.querySelector("input")).focus();
    const score = (key) => {
      const group = current(), input = group.querySelector(`input[value="${key}"]`);
      input.checked = true;
      input.focus();
      const open = groups().find((one) => !chosen(one));
      if (open) go(open);
      else if (!element.querySelector(".ls-rate").dataset.whole) send("scores");
    };
    const fresh = () => {  // the parts of the form before stay in the page, with what was typed into them
      for (const input of element.querySelectorAll("input")) input.checked = input.defaultChecked;
      for (const area of element.querySelectorAll("textarea")) area.value = area.defaultValue;
      if (groups().length && document.activeElement?.closest(".ls-scores, body") && !typing(document.activeElement)) go(groups()[0]);
    };
    watch("value", fresh);
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button && !button.disabled) send(button.dataset.do);
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      if (!element.isConnected || !element.querySelector(".ls-rate") || element.offsetParent === null) return;
      const place = groups().indexOf(current());
      if (groups().length && /^[1-5]$/.test(event.key)) score(event.key);
      else if (groups().length && event.key === "ArrowDown") go(groups()[place + 1]);
      else if (groups().length && event.key === "ArrowUp") go(groups()[place - 1]);
      else {
        if (event.key === "Enter" && event.target.closest?.("button, a, summary")) return;
        const button = [...element.querySelectorAll("[data-keys]")].find((one) => one.dataset.keys.split(" ").includes(event.key));
        if (!button || button.disabled) return;
        send(button.dataset.do);
      }
      event.preventDefault();
    });
  }

  // Jobs: what is done to them is asked for once more where it cannot be undone.
  function jobs(element, trigger, act) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (!button || (button.dataset.sure && !confirm(button.dataset.sure))) return;
      trigger(act, { do: button.dataset.do, job: button.dataset.job });
    });
  }

  // Reports are opened in the frame beside their names.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[target="ls-report"]');
    if (!link) return;
    const all = link.closest(".ls-reports"), frame = all.querySelector("iframe"), own = all.querySelector(".ls-own-tab");
    for (const other of all.querySelectorAll("a[aria-current]")) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    all.querySelector("[role=status]").textContent = `Report: ${link.textContent}.`;
    own.href = link.href;
    own.hidden = frame.hidden = false;
    frame.title = `Report ${link.textContent}`;
    if (matchMedia("(max-width: 62rem)").matches) frame.scrollIntoView({ block: "start" });
  });

  // Tabs have names in the address, so that one can be linked to.
  const tabs = () => [...document.querySelectorAll("#ls-tabs button[role=tab]")];
  const named = (tab) => tab.textContent.trim().toLowerCase();
  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.("#ls-tabs button[role=tab]");
    if (tab) history.replaceState(null, "", `${location.pathname}#${named(tab)}`);
  });
  const open = (tries = 300) => {
    const wanted = location.hash.slice(1);
    if (!wanted) return;
    const tab = tabs().find((one) => named(one) === wanted);
    if ((!tab && tabs().length) || tab?.getAttribute("aria-selected") === "true" || tries <= 0) return;
    tab?.click();  // without effect until the page is alive
    setTimeout(() => open(tries - 1), 100);
  };
  const narrow = (tries = 300) => {  // where there is little room, results come before settings
    if (!matchMedia("(max-width: 62rem)").matches) return;
    const open = document.querySelectorAll("#ls-describe .ls-settings > button.open, #ls-describe .ls-settings > button[aria-expanded=true]");
    if (open.length) open.forEach((button) => button.click());
    else if (tries > 0) setTimeout(() => narrow(tries - 1), 100);
  };
  const begin = () => { open(); narrow(); };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
  else begin();
  addEventListener("hashchange", () => open());
  return { drop, rate, jobs };
})();
