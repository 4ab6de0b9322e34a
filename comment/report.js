(function () {
  "use strict";
  var form = document.getElementById("filter");
  var search = document.getElementById("search");
  var boxes = form.querySelectorAll("input[type=checkbox]");
  var changes = document.querySelectorAll("article.change");
  var count = document.getElementById("count");
  function apply() {
    var words = search.value.toLowerCase().split(/\s+/);
    var risks = {};
    boxes.forEach(function (b) { risks[b.value] = b.checked; });
    var shown = 0;
    changes.forEach(function (c) {
      var ok = risks[c.dataset.risk] && words.every(function (w) { return c.dataset.search.indexOf(w) >= 0; });
      c.hidden = !ok;
      if (ok) { shown++; }
    });
    count.textContent = shown + " of " + changes.length + " changes";
  }
  var fold = document.getElementById("fold");
  var parts = document.querySelectorAll("article.change details");
  function setOpen(open) {
    parts.forEach(function (d) { d.open = open; });
    fold.textContent = open ? "Fold all" : "Unfold all";
  }
  fold.addEventListener("click", function () { setOpen(fold.textContent !== "Fold all"); });
  fold.hidden = parts.length < 2;
  if (parts.length > 3) { setOpen(false); }
  form.addEventListener("submit", function (e) { e.preventDefault(); });
  form.addEventListener("input", apply);
  form.hidden = changes.length === 0;
  apply();
})();
