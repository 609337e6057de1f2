// How cells read: the same rules as dashboard/formats.py, which the tests hold against each other.
var dagfuncs = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});

(function () {
  const THIN = "\u202f";
  const grouped = (value, digits) =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  const threeDigits = (value) => {
    if (value >= 99.95) return grouped(value, 0);
    if (value >= 9.995) return value.toFixed(1).replace(/\.0$/, "");
    return value.toFixed(2).replace(/\.?0+$/, "");
  };

  dagfuncs.said = (value) => (value === null || value === undefined ? "–" : String(value));

  // A row of sums is empty where nothing is summed.
  dagfuncs.usd = (value) => {
    if (value === "") return "";
    if (value === null || value === undefined) return "–";
    const sign = value < 0 ? "−" : "";
    const size = Math.abs(value);
    if (size === 0) return "$0";
    if (size >= 0.9995) return sign + "$" + grouped(size, 2);
    if (size < 1e-7) return sign + "<$0.0000001";
    const digits = size.toFixed(Math.min(7, 2 - Math.floor(Math.log10(size))));
    return sign + "$" + digits.replace(/(\.\d\d\d*?)0+$/, "$1");
  };

  dagfuncs.tokens = (value) => {
    if (value === "") return "";
    if (value === null || value === undefined) return "–";
    for (const [size, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= size * 0.9995) return threeDigits(value / size) + THIN + letter;
    }
    return grouped(value, 0);
  };

  dagfuncs.count = (value) => (value === "" ? "" : value === null || value === undefined ? "–" : grouped(value, 0));

  dagfuncs.quantity = (value) => {
    if (value === "") return "";
    if (value === null || value === undefined) return "–";
    const sign = value < 0 ? "−" : "";
    return sign + Math.abs(value).toLocaleString("en-US", { maximumFractionDigits: 6 });
  };

  dagfuncs.duration = (value) => {
    if (value === null || value === undefined) return "–";
    if (value < 1000) return threeDigits(value) + THIN + "ms";
    const seconds = value / 1000;
    if (seconds < 60) return threeDigits(seconds) + THIN + "s";
    for (const [size, letter, smaller, smallLetter] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
      if (seconds >= size) {
        return Math.floor(seconds / size) + THIN + letter + " " + Math.floor((seconds % size) / smaller) + THIN + smallLetter;
      }
    }
  };

  // A click anywhere on a row goes where its link goes; on the link itself the link does it.
  const open = (params, address) => {
    if (params.event.target.closest("a, .ag-selection-checkbox, [col-id^='ag-Grid-Selection']") || String(window.getSelection())) return;
    window.pigou.go(address(params.data));
  };
  dagfuncs.openTrace = (params) => open(params, window.pigou.traceOf);
  dagfuncs.openAlert = (params) => open(params, window.pigou.alertOf);
  dagfuncs.openRule = (params) => open(params, window.pigou.ruleOf);
  dagfuncs.openChannel = (params) => open(params, window.pigou.channelOf);
  dagfuncs.openFinding = (params) => open(params, window.pigou.findingOf);
  dagfuncs.openAccount = (params) => params.rowPinned || open(params, window.pigou.accountOf);
  dagfuncs.openEntry = (params) => params.rowPinned || open(params, window.pigou.entryOf);
  dagfuncs.openDecision = (params) => open(params, window.pigou.decisionOf);

  // On a phone a sentence is as wide as what can be seen of its table, so that it can be read without moving it.
  const PHONE_PX = 600;
  dagfuncs.narrowed = (params) => {
    if (!params.clientWidth || params.clientWidth >= PHONE_PX) return;
    const pinned = params.api.getDisplayedLeftColumns().reduce((sum, column) => sum + column.getActualWidth(), 0);
    const room = Math.max(params.clientWidth - pinned - 2, 180);
    const wide = (column) => column.cellClass === "wrapped" && (column.flex || column.width !== room);
    const columns = params.api.getColumnDefs();
    if (!columns.some(wide)) return;
    params.api.setGridOption("columnDefs", columns.map((column) => (wide(column) ? { ...column, flex: null, minWidth: 120, width: room } : column)));
  };

  // The unrounded number under the pointer; a dash says why it is one.
  dagfuncs.exact = (params) =>
    params.value === null || params.value === undefined ? "not known" : String(params.value);
})();
