package capture

import (
	"strings"
)

// Traits of an exchange; see Observation.Traits.
const (
	TraitLinkNext   = "link_next"   // a Link header (RFC 8288) with rel="next"
	TraitRetryAfter = "retry_after" // a Retry-After header
	TraitCacheable  = "cacheable"   // an ETag or Last-Modified header
	TraitRateLimit  = "rate_limit"  // headers that count down a limit
	TraitLocation   = "location"    // a Location header on 201 or 202
	TraitNavigation = "navigation"  // the browser loaded it as a page
	TraitSetCookie  = "set_cookie"  // a session cookie was set
	TraitLines      = "lines"       // the response is one JSON value a line
	// TraitLiterals says that literals were removed from Document, so that it
	// does not ask for what was asked.
	TraitLiterals = "literals"
	// TraitExplicitSlash says that the path was requested with a slash at its
	// end; Key.Path has it too.
	TraitExplicitSlash = "trailing_slash"
)

func traitsOf(x *exchange, slash bool, op operation) []string {
	var traits []string
	add := func(name string, is bool) {
		if is {
			traits = append(traits, name)
		}
	}
	r := &x.response
	link := strings.ToLower(r.get("link"))
	add(TraitLinkNext, strings.Contains(link, `rel="next"`) || strings.Contains(link, "rel=next"))
	add(TraitRetryAfter, r.get("retry-after") != "")
	add(TraitCacheable, r.get("etag") != "" || r.get("last-modified") != "")
	add(TraitRateLimit, r.get("x-ratelimit-remaining") != "" || r.get("ratelimit-remaining") != "" || r.get("x-rate-limit-remaining") != "" || r.get("ratelimit") != "")
	add(TraitLocation, (x.status == 201 || x.status == 202) && r.get("location") != "")
	add(TraitNavigation, x.resource == "document")
	add(TraitSetCookie, setsSession(r))
	mime := r.mime()
	add(TraitLines, strings.Contains(mime, "ndjson") || strings.Contains(mime, "jsonl"))
	add(TraitLiterals, op.lossy)
	add(TraitExplicitSlash, slash)
	return traits
}

func setsSession(r *message) bool {
	for _, h := range r.headers {
		if h.name != "set-cookie" {
			continue
		}
		// Exporters put several cookies into one header, a line each.
		for line := range strings.Lines(h.value) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			value, _, _ = strings.Cut(value, ";")
			if !isTrackingCookie(name) && value != "" && (isSessionCookie(name) || looksSecret(value)) {
				return true
			}
		}
	}
	return false
}
