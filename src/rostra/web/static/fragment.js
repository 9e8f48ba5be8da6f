// Clients print addresses such as /connect/#/apps/{guid}/logs: what is behind the # never reaches the server.
(() => {
  "use strict";
  const home = document.body.dataset.dashboard; // e.g. /connect/
  const guid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
  // What clients and old bookmarks call an item's pages, and what they are called here.
  const panes = {
    access: "access", collaborators: "access", schedule: "schedule", vars: "variables", variables: "variables",
    runtime: "settings", tags: "settings", info: "settings", settings: "settings", usage: "usage", logs: "logs",
  };
  const page = () => {
    const found = location.hash.match(new RegExp(`^#/apps/(${guid})(?:/([a-z]+)(?:/([0-9]{1,18}))?)?`));
    if (!found) return null;
    const [, item, pane, number] = found;
    if (pane === "draft" && number) return `${home}apps/${item}/draft/${number}`;
    if (Object.hasOwn(panes, pane)) return `${home}apps/${item}/${panes[pane]}`;
    return `${home}apps/${item}`;
  };
  const form = document.querySelector("input[name=url]");
  const go = () => {
    const wanted = page();
    if (!wanted) return;
    if (form) form.value = wanted; // signing in first: come back to the page that was meant
    else location.replace(wanted);
  };
  addEventListener("hashchange", go);
  go();
})();
