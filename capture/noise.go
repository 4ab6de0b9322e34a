package capture

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// Reasons for leaving an exchange out; see Dropped.
const (
	dropForeign   = "other host"
	dropURL       = "no http URL"
	dropPreflight = "preflight, HEAD or OPTIONS"
	dropMethod    = "no HTTP method"
	dropSocket    = "websocket"
	dropStream    = "event stream"
	dropOverride  = "method override: the request says that another method is meant"
	dropAborted   = "aborted or failed"
	dropAsset     = "asset"
	dropPage      = "HTML page"
	dropLogin     = "redirect to login"
	dropTelemetry = "telemetry"
	dropFlags     = "feature flags"
	dropProbe     = "health probe"
	dropSize      = "entry larger than the limit"
)

// dropReason returns why an exchange with an allowed host is no part of the
// API, or "". It judges each exchange by itself, so that neither order nor
// company matters.
func dropReason(x *exchange) string {
	switch {
	case x.origin.scheme == "ws" || x.origin.scheme == "wss" || x.status == 101 || x.resource == "websocket":
		return dropSocket
	case x.method == "OPTIONS" || x.method == "HEAD" || x.resource == "preflight":
		return dropPreflight
	case !isToken(x.method) || len(x.method) > 32:
		return dropMethod
	case x.status < 100 || x.status > 599:
		return dropAborted
	case x.response.mime() == "text/event-stream" || x.resource == "eventsource":
		return dropStream
	case isPolledSocket(x):
		return dropSocket
	case isTelemetry(x):
		return dropTelemetry
	case isFlags(x):
		return dropFlags
	case isProbe(x):
		return dropProbe
	case isAsset(x):
		return dropAsset
	case isLoginRedirect(x):
		return dropLogin
	case isPage(x):
		return dropPage
	}
	return ""
}

// isPolledSocket reports messages of a socket that Engine.IO sends by polling
// (Engine.IO protocol, HTTP long-polling).
func isPolledSocket(x *exchange) bool {
	q := x.url.Query()
	return q.Has("EIO") && q.Has("transport")
}

// overridesMethod reports whether a request asks to be treated as one with
// another method. A tool for it would do more than its method says, and replayed
// without the override it would do something else.
func overridesMethod(x *exchange, query []field, body content) bool {
	other := func(method string) bool {
		switch method = strings.ToUpper(method); method {
		case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY":
			return method != x.method
		}
		return false
	}
	for _, name := range []string{"x-http-method-override", "x-http-method", "x-method-override"} {
		if other(x.request.get(name)) {
			return true
		}
	}
	for _, f := range slices.Concat(query, body.fields) {
		if f.name == "_method" && other(f.value) {
			return true
		}
	}
	if !strings.Contains(body.json, `"_method"`) {
		return false
	}
	var envelope struct {
		Method string `json:"_method"`
	}
	return json.Unmarshal([]byte(body.json), &envelope) == nil && other(envelope.Method)
}

// telemetryHosts are suffixes of hosts that only collect.
var telemetryHosts = []string{
	"google-analytics.com", "googletagmanager.com", "doubleclick.net", "analytics.google.com", "segment.io", "segment.com",
	"sentry.io", "nr-data.net", "newrelic.com", "plausible.io", "mixpanel.com", "amplitude.com", "hotjar.com", "hotjar.io",
	"fullstory.com", "datadoghq-browser-agent.com", "browser-intake-datadoghq.com", "browser-intake-datadoghq.eu",
	"clarity.ms", "heapanalytics.com", "bugsnag.com", "rollbar.com", "logrocket.io", "lr-ingest.io", "posthog.com",
	"cloudflareinsights.com", "facebook.net", "connect.facebook.com", "intercom.io", "braze.com", "appsflyer.com", "branch.io",
}

var flagHosts = []string{"launchdarkly.com", "split.io", "optimizely.com", "statsig.com", "featuregates.org", "configcat.com", "growthbook.io", "flagsmith.com"}

func hostIn(host string, suffixes []string) bool {
	for _, s := range suffixes {
		if host == s || strings.HasSuffix(host, "."+s) {
			return true
		}
	}
	return false
}

// telemetryPaths are ends of paths that collectors use on any host.
var telemetryPaths = []string{
	"/g/collect", "/j/collect", "/r/collect", "/envelope", "/cdn-cgi/rum", "/cdn-cgi/trace", "/csp-report", "/csp_report", "/__cspreport",
	"/browser-errors", "/js-errors", "/web-vitals", "/_vercel/insights/view", "/_vercel/insights/event", "/_vercel/speed-insights/vitals",
}

func isTelemetry(x *exchange) bool {
	switch x.request.mime() {
	case "application/csp-report", "application/reports+json", "text/ping":
		return true
	}
	switch x.resource {
	case "ping", "beacon", "cspviolationreport", "csp-report", "reporting":
		return true
	}
	if hostIn(x.origin.host, telemetryHosts) {
		return true
	}
	p := strings.TrimSuffix(x.url.Path, "/")
	for _, end := range telemetryPaths {
		if strings.HasSuffix(p, end) {
			return end != "/envelope" || strings.Contains(x.url.RawQuery, "sentry_key") || x.request.mime() == "application/x-sentry-envelope" || x.request.mime() == "text/plain"
		}
	}
	return false
}

func isFlags(x *exchange) bool {
	return hostIn(x.origin.host, flagHosts) || strings.HasPrefix(x.origin.host, "featureflags.") || strings.HasPrefix(x.origin.host, "flags.")
}

// probes are paths that orchestrators ask, and nobody else.
var probes = map[string]bool{
	"healthz": true, "livez": true, "readyz": true, "startupz": true, "_health": true, "__health": true, "__heartbeat__": true, "__lbheartbeat__": true,
}

func isProbe(x *exchange) bool {
	if x.method != "GET" {
		return false
	}
	p := strings.TrimSuffix(x.url.Path, "/")
	return probes[path.Base(p)] || p == "/-/healthy" || p == "/-/ready"
}

// assetTypes are media types of what a page is made of.
func isAssetType(mime string) bool {
	switch mime {
	case "text/css", "text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript", "application/wasm",
		"application/manifest+json", "application/vnd.ms-fontobject", "application/font-woff", "application/font-woff2", "application/x-font-ttf", "text/vtt":
		return true
	}
	return strings.HasPrefix(mime, "font/")
}

func isMedia(mime string) bool {
	return strings.HasPrefix(mime, "image/") || strings.HasPrefix(mime, "audio/") || strings.HasPrefix(mime, "video/")
}

var assetExtensions = map[string]bool{
	".js": true, ".mjs": true, ".css": true, ".map": true, ".png": true, ".jpg": true, ".jpeg": true, ".gif": true, ".svg": true, ".webp": true, ".avif": true,
	".ico": true, ".woff": true, ".woff2": true, ".ttf": true, ".otf": true, ".eot": true, ".mp4": true, ".webm": true, ".mp3": true, ".wasm": true, ".webmanifest": true,
}

// wellKnownFiles are asked for by browsers and robots.
var wellKnownFiles = map[string]bool{"/favicon.ico": true, "/robots.txt": true, "/apple-touch-icon.png": true, "/apple-touch-icon-precomposed.png": true, "/sitemap.xml": true, "/manifest.json": true, "/service-worker.js": true, "/sw.js": true, "/wp-login.php": true, "/.well-known/security.txt": true, "/ads.txt": true, "/humans.txt": true, "/crossdomain.xml": true, "/browserconfig.xml": true}

func isAsset(x *exchange) bool {
	if x.method != "GET" {
		return false
	}
	if wellKnownFiles[x.url.Path] {
		return true
	}
	mime := x.response.mime()
	switch x.resource {
	case "image", "stylesheet", "script", "font", "media", "manifest", "texttrack", "imageset":
		// A script may be JSONP and an image a pixel: neither can be called.
		return true
	case "fetch", "xhr", "xmlhttprequest":
		return isAssetType(mime) && !startsJSON(x.response.text)
	}
	extension := strings.ToLower(path.Ext(x.url.Path))
	if isAssetType(mime) && !startsJSON(x.response.text) {
		return true
	}
	if isMedia(mime) {
		return assetExtensions[extension] || x.resource == "document"
	}
	if extension == ".map" {
		return mime == "" || mime == "application/json" || mime == "application/octet-stream"
	}
	return assetExtensions[extension] && !isJSONType(mime) && !startsJSON(x.response.text)
}

// isLoginRedirect reports a redirect to where people log in.
func isLoginRedirect(x *exchange) bool {
	if x.status < 300 || x.status > 399 || x.status == 304 {
		return false
	}
	location, _, _ := strings.Cut(strings.ToLower(x.response.get("location")), "?")
	for _, word := range []string{"login", "signin", "sign-in", "sign_in", "/sso", "/oauth/authorize", "/oauth2/authorize", "/saml", "/auth/"} {
		if strings.Contains(location, word) {
			return true
		}
	}
	return false
}

// isPage reports an HTML page. An HTML error of a call that was no navigation
// is kept where it says that something is gone: that is how servers say it.
func isPage(x *exchange) bool {
	mime := x.response.mime()
	if mime != "text/html" && mime != "application/xhtml+xml" {
		return x.resource == "document" && mime == "" && x.response.text == "" && x.status < 300 && x.method == "GET"
	}
	if startsJSON(x.response.text) {
		return false
	}
	navigation := x.resource == "document" || strings.HasPrefix(x.request.get("accept"), "text/html")
	switch x.status {
	case 404, 405, 410:
		return navigation
	}
	// A form that changes something is a call, whatever page it answers with.
	return x.method == "GET" || navigation || x.status >= 400
}
