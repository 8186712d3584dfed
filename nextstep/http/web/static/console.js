// Keeps the console's table true. Texts are set as text, never as markup.
"use strict";
(function () {
  const table = document.getElementById("stages");
  if (!table || !window.EventSource) return;
  const live = document.querySelector("[data-live]");
  const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

  function duration(seconds) {
    if (seconds === null) return "–";
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= size) return (seconds / size).toFixed(1) + " " + unit;
    }
    return seconds.toFixed(1) + " s";
  }
  function text(field, value) {
    if (field === "oldest_age_s" || field === "eta_s") return duration(value);
    if (value === null) return "–";
    return typeof value === "number" ? number.format(value) : String(value);
  }
  function show(found) {
    if (found.unavailable) {
      live.textContent = "The database cannot be reached.";
      return;
    }
    document.querySelector("[data-head]").textContent = number.format(found.head);
    document.querySelector("[data-wakeup]").textContent = found.wakeup;
    for (const stage of found.stages) {
      const row = table.querySelector('[data-stage="' + CSS.escape(stage.stage) + '"]');
      if (!row) continue;
      for (const cell of row.querySelectorAll("[data-f]")) {
        const field = cell.dataset.f;
        if (field === "stale") {
          cell.hidden = !stage.stale;
        } else {
          const shown = text(field, stage[field]);
          if (cell.textContent !== shown) cell.textContent = shown;
        }
        if (field === "status") cell.className = "state " + stage.status;
      }
      const form = row.querySelector("[data-steer]");
      if (form) {
        const verb = stage.status === "running" ? "pause" : "resume";
        form.action = "/console/stages/" + encodeURIComponent(stage.stage) + "/" + verb;
        const label = form.querySelector("button").firstChild;
        const word = verb === "pause" ? "Pause " : "Resume ";
        if (label.nodeValue !== word) label.nodeValue = word;
      }
      const note = table.querySelector('[data-note="' + CSS.escape(stage.stage) + '"]');
      const parts = [stage.reason, stage.last_error, stage.cure && "cure: " + stage.cure];
      const said = parts.filter(Boolean).join(" · ");
      note.hidden = !said;
      note.firstElementChild.textContent = said;
    }
    live.textContent = "Live.";
  }
  const events = new EventSource("/console/events");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = () => { live.textContent = "Not connected; trying again."; };
})();
