package capture

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// Kinds of Auth.
const (
	kindBearer  = "bearer"
	kindBasic   = "basic"
	kindAPIKey  = "apiKey"
	kindCookie  = "cookie"
	kindCSRF    = "csrf"
	kindSigned  = "signature" // of the request itself; Name is the scheme
	kindNone    = "none"
	kindUnknown = "unknown"
)

// authOf returns how a request was authenticated, sorted, without counts. It
// is never empty.
func authOf(x *exchange, query []field) []Auth {
	var found []Auth
	for _, h := range x.request.headers {
		switch {
		case h.name == "authorization":
			found = append(found, authorization(h.value))
		case h.name == "cookie":
			found = append(found, cookies(h.value)...)
		case isProtocolWord(h.name, h.value):
			// The same for everyone, so it proves nothing.
		case isCSRF(h.name):
			found = append(found, Auth{Kind: kindCSRF, In: "header", Name: h.name})
		case isCredentialHeader(h.name):
			found = append(found, Auth{Kind: kindAPIKey, In: "header", Name: h.name})
		}
	}
	for _, f := range query {
		if kind := queryCredential(f); kind != "" {
			found = append(found, Auth{Kind: kind, In: "query", Name: nameOf(f.name)})
		}
	}
	if x.url.User != nil {
		found = append(found, Auth{Kind: kindBasic, In: "header", Name: "authorization"})
	}
	slices.SortFunc(found, compareAuth)
	found = slices.Compact(found)
	if slices.ContainsFunc(found, func(a Auth) bool { return a.Kind != kindCSRF }) {
		return found
	}
	// An exporter that removes credentials removes all of the Cookie header.
	if x.stripped && x.request.get("cookie") == "" {
		return append(found, Auth{Kind: kindUnknown})
	}
	return append(found, Auth{Kind: kindNone})
}

func compareAuth(a, b Auth) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.In, b.In), strings.Compare(a.Name, b.Name))
}

// nameOf keeps a name unless it is data.
func nameOf(name string) string {
	if schema.IsData(name) || len(name) > 64 || !isToken(name) {
		return ""
	}
	return name
}

// authorization reads an Authorization header (RFC 9110 section 11.4). Schemes
// that sign the request send nothing that another request could send; those
// that are not known count as keys in that header.
func authorization(value string) Auth {
	scheme, _, parameters := strings.Cut(strings.TrimSpace(value), " ")
	a := Auth{Kind: kindAPIKey, In: "header", Name: "authorization"}
	switch scheme = strings.ToLower(scheme); {
	case scheme == "bearer":
		a.Kind = kindBearer
	case scheme == "basic":
		a.Kind = kindBasic
	case parameters && (signingSchemes[scheme] || strings.Contains(scheme, "hmac") || strings.Contains(value, "oauth_signature=")):
		a.Kind, a.Name = kindSigned, nameOf(scheme)
	}
	return a
}

// signingSchemes compute what they send from the request or from a challenge.
var signingSchemes = map[string]bool{
	"aws": true, "digest": true, "dpop": true, "hawk": true, "negotiate": true, "ntlm": true,
	"scram-sha-1": true, "scram-sha-256": true, "sharedkey": true, "sharedkeylite": true, "signature": true,
}

// isCSRF reports headers, fields and cookies that only prove that a request
// comes from the page.
func isCSRF(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "csrf") || strings.Contains(name, "xsrf") || name == "authenticity_token" || name == "__requestverificationtoken"
}

// credentialHeaders are not found by their words.
var credentialHeaders = map[string]bool{"proxy-authorization": true, "x-auth": true, "x-amz-date": false, "dd-api-key": true, "x-amz-content-sha256": false}

func isCredentialHeader(name string) bool {
	if known, ok := credentialHeaders[name]; ok {
		return known
	}
	if isStandardHeader(name) {
		return false
	}
	return Sensitive(name) || strings.HasSuffix(name, "-key") || strings.HasSuffix(name, "-auth") || strings.HasSuffix(name, "apikey")
}

// queryCredential returns the kind of a query parameter that is a credential,
// or "".
func queryCredential(f field) string {
	name := strings.ToLower(f.name)
	switch {
	case isCSRF(name):
		return kindCSRF
	case strings.HasPrefix(name, "x-amz-"), strings.HasPrefix(name, "x-goog-"), name == "sig", name == "signature", name == "hmac":
		return kindAPIKey
	case name == "key" || name == "k" || name == "auth" || name == "appid":
		// Common words: what they hold decides.
		if looksSecret(f.value) {
			return kindAPIKey
		}
	case name == "code" || name == "state" || name == "password" || name == "nonce":
		return ""
	case Sensitive(f.name):
		return kindAPIKey
	}
	return ""
}

// looksSecret reports whether a value is long and random-looking.
func looksSecret(value string) bool {
	if len(value) < 16 {
		return false
	}
	switch schema.Classify(value) {
	case schema.ClassJWT, schema.ClassToken, schema.ClassHex, schema.ClassUUID, schema.ClassULID, schema.ClassPrefixed:
		return true
	}
	return vendorKey(value)
}

// cookies returns the session cookies of a Cookie header.
func cookies(value string) []Auth {
	var found []Auth
	for pair := range strings.SplitSeq(value, ";") {
		name, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || name == "" || isTrackingCookie(name) {
			continue
		}
		switch {
		case isCSRF(name):
			found = append(found, Auth{Kind: kindCSRF, In: "cookie", Name: nameOf(name)})
		case isSessionCookie(name) || looksSecret(v):
			found = append(found, Auth{Kind: kindCookie, In: "cookie", Name: nameOf(name)})
		}
	}
	return found
}

// trackingCookies are beginnings of names of cookies that identify a browser
// and give no access.
var trackingCookies = []string{
	"_ga", "_gid", "_gcl", "_gat", "_fbp", "_fbc", "_hj", "_clck", "_clsk", "_pk_", "_uet", "_tt_", "_ttp", "_rdt", "_scid", "_mkto", "_dd_s", "__utm", "__hs", "hubspotutk",
	"__cf", "_cf", "cf_clearance", "ajs_", "amplitude", "amp_", "mp_", "ph_", "optimizely", "intercom-id", "intercom-device", "_vwo", "_vis_opt", "notice_", "cookieconsent", "cookie_consent", "optanon",
	"eupubconsent", "onetrust", "consent", "datadome", "ak_bmsc", "bm_", "_abck", "awsalb", "awselb", "theme", "lang", "locale", "timezone", "tz", "visitor", "device", "_octo",
}

func isTrackingCookie(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range trackingCookies {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func isSessionCookie(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(name), "__host-"), "__secure-")
	switch name {
	case "sid", "connect.sid", "jsessionid", "phpsessid", "asp.net_sessionid", "laravel_session", "sessionid", "session", "sess", "auth", "jwt", "token", "remember_me", "remember_user_token", "logged_in_token", "user_session", "i_like_gitea", "grafana_session":
		return true
	}
	for _, word := range schema.Words(name) {
		switch word {
		case "session", "sessionid", "sess", "sid", "auth", "token", "jwt":
			return true
		}
	}
	return strings.HasSuffix(name, "session") || strings.HasSuffix(name, "sessid")
}

// standardHeaders are request headers that clients set by themselves.
var standardHeaders = map[string]bool{
	"accept": true, "accept-charset": true, "accept-encoding": true, "accept-language": true, "access-control-request-headers": true, "access-control-request-method": true,
	"alt-used": true, "baggage": true, "cache-control": true, "connection": true, "content-encoding": true, "content-language": true, "content-length": true, "content-md5": true, "content-type": true,
	"cookie": true, "date": true, "device-memory": true, "dnt": true, "downlink": true, "dpr": true, "ect": true, "expect": true, "expires": true, "forwarded": true, "from": true, "host": true,
	"idempotency-key": true, "keep-alive": true, "last-event-id": true, "max-forwards": true, "newrelic": true, "origin": true, "pragma": true, "priority": true, "proxy-connection": true, "purpose": true, "range": true,
	"referer": true, "request-id": true, "rtt": true, "save-data": true, "sentry-trace": true, "service-worker": true, "te": true, "traceparent": true, "tracestate": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true, "upgrade-insecure-requests": true, "user-agent": true, "via": true, "viewport-width": true, "width": true, "x-requested-with": true, "x-request-id": true,
	"x-correlation-id": true, "x-idempotency-key": true, "x-real-ip": true, "x-http-method-override": true, "x-method-override": true, "x-http-method": true, "x-client-data": true, "x-client-trace-id": true, "uber-trace-id": true, "x-csrf": true,
}

func isStandardHeader(name string) bool {
	if standardHeaders[name] {
		return true
	}
	for _, prefix := range []string{"sec-", "if-", "x-forwarded-", "x-b3-", "x-datadog-", "x-envoy-", "x-amzn-trace", "cf-", "proxy-", "access-control-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
