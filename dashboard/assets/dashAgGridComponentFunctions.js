// Cells that are more than text.
var dagcomponentfuncs = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

(function () {
  const h = (type, props, ...children) => React.createElement(type, props, ...children);

  const pigou = (window.pigou = {
    // Goes to another address of the dashboard without loading the page anew, as dcc.Link does.
    go: (href) => {
      window.history.pushState({}, "", href);
      window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
      window.scrollTo(0, 0);
    },
    traceOf: (row) => {
      const asked = [["tenant", row.tenant], ["span", row.span_id]].filter((one) => one[1]);
      const search = asked.map(([name, value]) => name + "=" + encodeURIComponent(value)).join("&");
      return "/trace/" + encodeURIComponent(row.trace_id) + (search ? "?" + search : "");
    },
  });

  pigou.decisionOf = (row) =>
    "/decision?" + (row.tenant ? "tenant=" + encodeURIComponent(row.tenant) + "&" : "") + "id=" + encodeURIComponent(row.decision_id);

  pigou.alertOf = (row) => {
    const asked = new URLSearchParams(window.location.search);
    asked.set("tenant", row.tenant);
    asked.set("alert", row.alert_id);
    return "/alerts?" + asked;
  };

  pigou.findingOf = (row) =>
    "/finding?" + (row.tenant ? "tenant=" + encodeURIComponent(row.tenant) + "&" : "") + "id=" + row.finding_id;

  const statedOf = (path, name) => (row) =>
    path + "?" + (row.tenant ? "tenant=" + encodeURIComponent(row.tenant) + "&" : "") + name + "=" + encodeURIComponent(row[name]);
  pigou.ruleOf = statedOf("/rule", "rule");
  pigou.channelOf = statedOf("/channel", "channel");

  // A statement keeps the time that is shown.
  pigou.accountOf = (row) => {
    const asked = new URLSearchParams(window.location.search);
    ["day", "book", "live"].forEach((name) => asked.delete(name));
    asked.set("account", row.account);
    if (row.tenant) asked.set("tenant", row.tenant);
    if (row.book && row.book !== "cash") asked.set("book", row.book);
    return "/account?" + asked;
  };

  pigou.entryOf = (row) =>
    "/entry?" + (row.tenant ? "tenant=" + encodeURIComponent(row.tenant) + "&" : "") + "entry=" + encodeURIComponent(row.entry_id);

  // With a modifier key the browser opens a link as ever.
  const follow = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    pigou.go(event.currentTarget.getAttribute("href"));
  };

  dagcomponentfuncs.LinkCell = (props) => {
    return h("a", { href: pigou.traceOf(props.data), onClick: follow, className: "cell-link" }, props.value);
  };

  dagcomponentfuncs.DecisionCell = (props) =>
    props.data.decision_id === null ? "–" : h("a", { href: pigou.decisionOf(props.data), onClick: follow, className: "cell-link" }, props.value);

  const linkTo = (addressOf) => (props) =>
    props.node.rowPinned ? h("span", null, props.value) : h("a", { href: addressOf(props.data), onClick: follow, className: "cell-link" }, props.value);
  dagcomponentfuncs.AccountCell = linkTo(pigou.accountOf);
  dagcomponentfuncs.EntryCell = linkTo(pigou.entryOf);

  const STATUS = { unpriced: "act", suspense: "act", duplicate: "dim" };
  dagcomponentfuncs.StatusCell = (props) =>
    h("span", { className: "status " + (STATUS[props.value] || ""), title: props.data.reason || "" }, props.value);

  dagcomponentfuncs.AlertCell = (props) =>
    h("a", { href: pigou.alertOf(props.data), onClick: follow, className: "cell-link" }, props.value);

  dagcomponentfuncs.FindingCell = (props) =>
    h("a", { href: pigou.findingOf(props.data), onClick: follow, className: "cell-link" }, props.value);

  dagcomponentfuncs.RuleCell = (props) =>
    h("a", { href: pigou.ruleOf(props.data), onClick: follow, className: "cell-link" }, props.value);

  dagcomponentfuncs.ChannelCell = (props) =>
    h("a", { href: pigou.channelOf(props.data), onClick: follow, className: "cell-link" }, props.value);

  // A bar for each day, from zero up; days without a loss are a line.
  dagcomponentfuncs.SparkCell = (props) => {
    const days = String(props.value || "").split(",").filter((day) => day !== "").map(Number);
    if (!days.length) return "–";
    const most = Math.max(...days, 1e-9);
    const bars = days.map((day, place) => {
      const height = Math.max((Math.max(day, 0) / most) * 18, 1);
      return h("rect", { key: place, x: place * 4, y: 20 - height, width: 3, height });
    });
    return h("svg", { className: "spark", width: days.length * 4, height: 20, "aria-hidden": true }, ...bars);
  };

  // Shapes tell grades apart: a triangle, a dot, a ring.
  const GRADES = { critical: "▲", warning: "●", info: "○" };
  dagcomponentfuncs.SeverityCell = (props) =>
    h("span", { className: "grade grade-" + props.value }, h("span", { "aria-hidden": true }, (GRADES[props.value] || "○") + " "), props.value);

  dagcomponentfuncs.SentenceCell = (props) => h("span", { title: props.value }, props.value);

  dagcomponentfuncs.CodeCell = (props) => h("span", { className: "cell-code", title: props.value }, props.value);

  // Shapes tell roles apart; colour is kept for money.
  const SHAPES = { call: "●", tool: "◆", agent: "■", control: "□", plain: "○" };
  dagcomponentfuncs.SpanCell = (props) => {
    const span = props.data;
    const title = span.name + (span.detached ? " (its parent has not arrived)" : "");
    return h(
      "span",
      { className: "span-name" + (span.failed ? " failed" : ""), style: { paddingLeft: Math.min(span.depth, 24) * 14 }, title },
      h("span", { className: "span-role role-" + span.role, title: span.role }, SHAPES[span.role] || "○"),
      span.detached ? "⤷ " : "",
      span.name,
    );
  };

  dagcomponentfuncs.TimeCell = (props) => {
    const span = props.data;
    const kind = span.call_status === "duplicate" ? "copy" : span.call_status ? "call" : "other";
    return h(
      "span",
      { className: "time-lane" },
      h("span", {
        className: "time-bar time-" + kind + (span.failed ? " failed" : ""),
        style: { left: span.left + "%", width: span.width + "%" },
      }),
    );
  };
})();
