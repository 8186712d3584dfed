// Niceties: filters apply at once, a form shows that it is under way, "/" goes to the first field,
// a page that waits for something looks again.
"use strict";
(function () {
  for (const form of document.querySelectorAll("[data-auto]")) {
    form.addEventListener("change", () => form.requestSubmit());
    form.addEventListener("submit", () => document.querySelector("main").classList.add("loading"));
  }
  for (const form of document.querySelectorAll("[data-busy]")) {
    form.addEventListener("submit", () => document.querySelector("main").classList.add("loading"));
  }
  if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 3000);
  window.addEventListener("pageshow", () => document.querySelector("main").classList.remove("loading"));
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = document.querySelector("#text, #q");
    if (field) { event.preventDefault(); field.focus(); }
  });
})();
