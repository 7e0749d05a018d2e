// A page that changes by itself says when it has had no news for 3 s: the console, or
// Redis behind it, can't be reached.
(function () {
	"use strict";
	var live = document.getElementById("live"), gone = document.getElementById("gone");
	if (!live || !gone || !(live.hasAttribute("hx-get") || live.hasAttribute("sse-connect"))) { return; }
	var last = Date.now(), ended = false;
	function news() { last = Date.now(); gone.hidden = true; }
	document.body.addEventListener("htmx:sseMessage", news);
	document.body.addEventListener("htmx:sseClose", function () { ended = true; gone.hidden = true; });
	document.body.addEventListener("htmx:afterRequest", function (e) { if (e.detail.successful) { news(); } });
	setInterval(function () {
		if (ended || document.hidden) { last = Math.max(last, Date.now() - 2000); return; }
		if (Date.now() - last > 2900 && gone.hidden) {
			document.getElementById("gone-since").textContent = new Date(last).toISOString().slice(11, 19) + " UTC";
			gone.hidden = false;
		}
	}, 250);
})();
