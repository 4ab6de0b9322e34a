package compiler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// goneStatuses say that there is no such operation (any more).
var goneStatuses = map[int]bool{404: true, 405: true, 410: true, 501: true}

// noiseWords are whole path segments of traffic that is about the client, not
// about the API.
var noiseWords = wordSet(`telemetry beacon csp_report healthz livez readyz heartbeat sockjs_node webpack_hmr browser_sync
	favicon_ico robots_txt manifest_json service_worker_js rum_collect jserrors clienterror client_errors`)

// notATool says why an endpoint is not offered to agents; "" if it is.
func notATool(e *endpoint) string {
	switch e.key.method {
	case "OPTIONS", "TRACE", "CONNECT":
		return e.key.method + " asks about the server, not about the API"
	}
	approved := e.prior != nil && e.prior.Status == surface.Approved
	if approved && !vanished(e.obs) {
		return "" // a newer caskmcp that would not offer it takes nothing away
	}
	if e.declared != nil {
		return unwritable(e)
	}
	if reason := unrepeatable(e); reason != "" {
		return reason
	}
	for _, s := range segments(e.key.template) {
		if s.literal() && noiseWords[strings.Join(s.words, "_")] {
			return "telemetry or a probe of the server"
		}
	}
	good := successes(e.obs)
	if len(good) == 0 && !notModified(e.obs) {
		return fmt.Sprintf("no successful response was seen (%s)", statuses(e.obs))
	}
	if scheme := signed(good); scheme != "" {
		return "each call is signed (" + scheme + "), which takes a key that signs, not one that is sent"
	}
	if reason := presentation(good); reason != "" {
		return reason
	}
	if name := secretInQuery(good); name != "" {
		return "each call is sent a secret in its query (" + printable(name) + "), which is no argument"
	}
	return unwritable(e)
}

// secretInQuery is the query parameter of every exchange that holds a secret
// and is no way of authentication, such as a password to log in with.
func secretInQuery(good []capture.Observation) string {
	counts := map[string]int{}
	for _, o := range good {
		for _, p := range o.Query {
			if last := snake(p.Name); last == "password" || last == "passwd" || last == "pwd" || last == "passphrase" {
				counts[p.Name] += p.Count
			}
		}
	}
	if name := mostFrequent(counts); counts[name] > 0 && counts[name] >= exchanges(good) {
		return name
	}
	return ""
}

// vanished reports whether at least 3 exchanges, and all of them, say that
// there is no such operation.
func vanished(obs []capture.Observation) bool {
	for _, o := range obs {
		if !goneStatuses[o.Status] {
			return false
		}
	}
	return exchanges(obs) >= 3
}

func notModified(obs []capture.Observation) bool {
	return slices.ContainsFunc(obs, func(o capture.Observation) bool { return o.Status == 304 })
}

func statuses(obs []capture.Observation) string {
	set := map[string]bool{}
	for _, o := range obs {
		set[itoa(o.Status)+map[bool]string{true: " with an error"}[o.Failed]] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

// presentation says what a response is when it is made for browsers.
func presentation(good []capture.Observation) string {
	if len(good) == 0 {
		return ""
	}
	reasons := map[string]bool{}
	for _, o := range good {
		if o.Method != "GET" && (o.ResponseBodies == 0 || isJSON(o.RequestType)) {
			return "" // some servers call an empty answer a page, and some render
		}
		reasons[browserType(o.ResponseType)] = true
	}
	if len(reasons) != 1 {
		return ""
	}
	for reason := range reasons {
		return reason
	}
	return ""
}

func browserType(mediaType string) string {
	switch {
	case mediaType == "text/html" || mediaType == "application/xhtml+xml":
		return "an HTML page"
	case mediaType == "text/event-stream":
		return "a stream of server-sent events"
	case mediaType == "text/css" || mediaType == "text/javascript" || mediaType == "application/javascript" || mediaType == "application/wasm",
		strings.HasPrefix(mediaType, "image/"), strings.HasPrefix(mediaType, "font/"), strings.HasPrefix(mediaType, "video/"),
		strings.HasPrefix(mediaType, "audio/"), strings.HasPrefix(mediaType, "application/font"):
		return "a static file (" + printable(mediaType) + ")"
	}
	return ""
}

// unwritable says that the request body cannot be written from arguments.
func unwritable(e *endpoint) string {
	if encoding := bodyEncoding(e.obs); encoding != "" && !writable(encoding) {
		return "the request body is " + printable(encoding) + ", which arguments cannot express"
	}
	if encoding := unsentBody(e); encoding != "" && e.declared.Body.Required && len(e.obs) == 0 {
		return "the request body is " + encoding + ", which arguments cannot express"
	}
	return ""
}

// unsentBody is the media type of a declared body that arguments cannot
// express, "" where there is none.
func unsentBody(e *endpoint) string {
	if e.declared == nil || e.declared.Body == nil || writable(e.declared.Body.Type) {
		return ""
	}
	return printable(e.declared.Body.Type)
}

// unobserved reports whether a declared operation was never called although
// the captures have traffic of its origin.
func unobserved(e *endpoint, eps []*endpoint) bool {
	if len(e.obs) > 0 {
		return false
	}
	return slices.ContainsFunc(eps, func(o *endpoint) bool {
		return len(o.obs) > 0 && o.key.scheme == e.key.scheme && o.key.host == e.key.host && o.key.port == e.key.port
	})
}
