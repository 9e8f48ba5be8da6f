(function () {
  "use strict";
  var form = document.getElementById("find");
  var words = form.querySelector("input[type=search]");
  var kinds = Array.from(form.querySelectorAll("input[type=checkbox]"));
  var sections = Array.from(document.querySelectorAll("section[data-outcome]")).map(function (section) {
    var items = Array.from(section.querySelectorAll("article, tbody tr"));
    return { element: section, outcome: section.dataset.outcome, count: section.querySelector("h2 .n"), items: items,
             texts: items.map(function (item) { return item.textContent.toLowerCase(); }) };
  });
  function show() {
    var wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    var chosen = kinds.filter(function (kind) { return kind.checked; }).map(function (kind) { return kind.value; });
    var shown = 0, all = 0;
    sections.forEach(function (section) {
      var here = 0;
      section.items.forEach(function (item, number) {
        var text = section.texts[number];
        var fits = wanted.every(function (word) { return text.includes(word); });
        item.hidden = !fits;
        here += fits ? 1 : 0;
      });
      var open = chosen.includes(section.outcome) && here > 0;
      section.element.hidden = !open;
      section.count.textContent = here === section.items.length ? here : here + " of " + section.items.length;
      shown += open ? here : 0;
      all += section.items.length;
    });
    form.querySelector("output").textContent = shown === all ? "" : shown + " of " + all;
  }
  form.addEventListener("input", show);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  show();
})();
