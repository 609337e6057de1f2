// What every page can do: keys, pictures of figures, paper.
(function () {
  const WAIT_MS = 1500; // between g and the letter of a page
  let went = 0;

  const isTyping = (target) => target.closest && target.closest("input, textarea, select, [contenteditable], [role=combobox], dialog, [role=dialog]");
  const press = (selector) => {
    const found = document.querySelector(selector);
    if (found) found.click();
    return Boolean(found);
  };

  const line = (keys, said) => {
    const row = document.createElement("div");
    const what = document.createElement("dt");
    keys.forEach((key) => what.appendChild(document.createElement("kbd")).append(key));
    const words = document.createElement("dd");
    words.textContent = said;
    row.append(what, words);
    return row;
  };

  const help = () => {
    const old = document.getElementById("keys");
    if (old) return old.open ? old.close() : old.showModal();
    const dialog = document.createElement("dialog");
    dialog.id = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    const title = document.createElement("h2");
    title.id = "keys-title";
    title.textContent = "Keys";
    const list = document.createElement("dl");
    list.append(
      line(["/"], "find an id"), line(["r"], "ask again now"), line(["["], "the period before"), line(["]"], "the period after"),
      line(["?"], "show or hide this"), line(["Esc"], "close what is open"),
    );
    const pages = document.createElement("dl");
    document.querySelectorAll(".links [data-key]").forEach((link) => pages.append(line(["g", link.dataset.key], link.textContent)));
    const close = document.createElement("button");
    close.textContent = "Close";
    close.className = "act-button";
    close.onclick = () => dialog.close();
    const both = document.createElement("div");
    both.append(list, pages);
    dialog.append(title, both, close);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };

  // Panels are told of another address, and of the time to look again (dashboard/navigation.py).
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    pigou: { told: (search, tick, _page, panels) => panels.map(() => [search, tick]) },
  });

  // A page that is left goes at once: nothing more is asked for it, and the next one does not wait until its panels are answered.
  const bone = (height, width) => ({
    namespace: "dash_mantine_components", type: "Skeleton", props: { height, radius: "sm", mb: 18, ...(width ? { width } : {}) },
  });
  const part = (type, className, children) => ({ namespace: "dash_html_components", type, props: { className, children } });
  const waiting = () => part("Div", "page", [part("Section", "panel", [part("Div", "panel-body", [bone(14, 160), bone(110)])])]);
  const leave = () => {
    const held = window.dash_component_api.getLayout("url"); // behind the browser's address while the page is not asked for yet
    if (held && held.props.pathname !== window.location.pathname) window.dash_clientside.set_props("page", { children: waiting() });
  };
  ["_dashprivate_pushstate", "popstate"].forEach((moved) => window.addEventListener(moved, leave));

  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "?" && document.getElementById("keys")) return event.preventDefault(), document.getElementById("keys").close();
    if (isTyping(event.target)) return;
    if (went && Date.now() - went < WAIT_MS) {
      went = 0;
      const link = document.querySelector(`.links [data-key="${CSS.escape(event.key)}"] a`);
      if (link) return event.preventDefault(), link.click();
    }
    const acts = {
      "/": () => document.getElementById("find").focus(),
      "?": help,
      g: () => (went = Date.now()),
      r: () => press("#refresh"),
      "[": () => press("#steps-back a"),
      "]": () => press("#steps-on a"),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });

  // A figure as a picture, on the page's own paper, with its heading and the names of its series; named by its panel and the time.
  const picture = async (button) => {
    const paper = getComputedStyle(document.body).backgroundColor;
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink-dim").trim();
    const at = new Date().toISOString().slice(0, 16).replace(/[-:]/g, "");
    const plots = button.closest(".panel").querySelectorAll(".js-plotly-plot");
    for (const [number, plot] of [...plots].entries()) {
      const font = { ...(plot.layout.font || {}), color: ink };
      const heading = button.closest(".panel").querySelector("h2");
      const title = { text: heading ? heading.textContent : "", x: 0, xref: "paper", yref: "container", y: 0.97, font: { size: 15 } };
      const named = plot.data.filter((trace) => trace.name && trace.type === "bar").length > 1;
      const margin = { ...(plot.layout.margin || {}), t: 76 };
      const legend = { orientation: "h", x: 0, y: 1, yanchor: "bottom", yref: "paper", font: { size: 11.5 } };
      const above = { title, legend: { ...legend, y: 1.06 }, showlegend: named, margin };
      const layout = { ...plot.layout, ...above, paper_bgcolor: paper, plot_bgcolor: paper, font };
      const figure = { data: plot.data, layout, config: {} };
      const size = { width: plot.clientWidth, height: plot.clientHeight + 54, scale: 2, format: "png" };
      const link = document.createElement("a");
      link.href = await window.Plotly.toImage(figure, size);
      link.download = `pigou-${button.dataset.name}${plots.length > 1 ? "-" + (number + 1) : ""}-${at}Z.png`;
      link.click();
    }
  };
  // A token that was revoked, or whose time is over: the page asks for another.
  const fetched = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await fetched(...asked);
    if (answer.status === 401) window.location.reload();
    return answer;
  };

  // The second click of a double click is not another act.
  const isRepeated = (event) => event.detail > 1 && event.target.closest && event.target.closest(".act-button");
  document.addEventListener("click", (event) => isRepeated(event) && event.stopPropagation(), true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest(".png-button");
    if (button) picture(button);
  });
})();
