package capture

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// maxHeaderValues is how many different values of a header are told apart.
const maxHeaderValues = 8

// addHeaders observes the request headers that are neither standard nor
// credentials.
func (g *group) addHeaders(x *exchange) {
	seen := make(map[string]bool)
	for _, h := range x.request.headers {
		word := isProtocolWord(h.name, h.value)
		if !word && (isStandardHeader(h.name) || isCredentialHeader(h.name) || h.name == "authorization" || isCSRF(h.name)) || nameOf(h.name) == "" {
			continue
		}
		p := parameter(&g.headers, h.name)
		p.Shape.ObserveText(h.value)
		if !seen[h.name] {
			seen[h.name] = true
			p.Count++
		} else {
			p.Repeated++
		}
		if word {
			p.Words = sum(p.Words, map[string]int{strings.Clone(h.value): 1})
		}
		if isSuccess(x.status) {
			g.seeHeader(p.Name, echoHash(h.name, h.value))
		}
	}
}

func (g *group) seeHeader(name string, hash uint64) {
	if g.headerValues == nil {
		g.headerValues = make(map[string]map[uint64]struct{}, 1)
	}
	if g.headerValues[name] == nil {
		g.headerValues[name] = make(map[uint64]struct{}, 1)
	}
	if len(g.headerValues[name]) < maxHeaderValues {
		g.headerValues[name][hash] = struct{}{}
	}
}

// headerPlace is a request header at an origin.
type headerPlace struct {
	scheme, host string
	port         int
	name         string
}

func headerAt(k Key, name string) headerPlace {
	return headerPlace{scheme: k.Scheme, host: k.Host, port: k.Port, name: name}
}

// distinctHeaders counts the different values of every header at each origin.
func (gs *groups) distinctHeaders() map[headerPlace]int {
	values := make(map[headerPlace]map[uint64]struct{})
	for k, g := range gs.byKey {
		for name, hashes := range g.headerValues {
			at := headerAt(k, name)
			if values[at] == nil {
				values[at] = make(map[uint64]struct{}, len(hashes))
			}
			for hash := range hashes {
				values[at][hash] = struct{}{}
			}
		}
	}
	counts := make(map[headerPlace]int, len(values))
	for at, hashes := range values {
		counts[at] = min(len(hashes), maxHeaderValues)
	}
	return counts
}

var (
	// A date of an API's version may have a word behind it: 2025-03-31.basil.
	dateVersion   = regexp.MustCompile(`^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([.-][a-z]{2,12})?$`)
	numberVersion = regexp.MustCompile(`^v?[0-9]{1,3}(\.[0-9]{1,3}){0,2}$`)
	// The name of a library or an app, as X-Requested-With has it.
	clientName = regexp.MustCompile(`^[A-Za-z]{2,20}([.-][A-Za-z]{2,20}){0,3}$`)
)

// apiVersions are headers with the number of a protocol's version that do not
// end in "api-version".
var apiVersions = map[string]bool{"accept-version": true, "dataserviceversion": true, "maxdataserviceversion": true, "odata-version": true, "odata-maxversion": true}

// isProtocolWord reports header values that are the same whoever calls, and so
// may be kept: versions of the API, the library that X-Requested-With names, and
// what only shows that no form of another site made the request.
func isProtocolWord(name, value string) bool {
	switch {
	case name == "x-requested-with":
		return value == "XMLHttpRequest" || clientName.MatchString(value) && !schema.IsID(schema.Classify(value)) && !vendorKey(value)
	case apiVersions[name] || strings.HasSuffix(name, "api-version"):
		return numberVersion.MatchString(value) || dateVersion.MatchString(value)
	case strings.HasSuffix(name, "-version"):
		// With a number it is mostly the caller's own, and changes with it.
		return dateVersion.MatchString(value) && !ownVersion(name)
	case isCSRF(name), strings.HasPrefix(name, "x-atlassian-token"):
		return value == "true" || value == "1" || value == "fetch" || value == "nocheck" || value == "no-check"
	}
	return value == "true" && !isStandardHeader(name) && !isCredentialHeader(name)
}

// ownVersion reports headers with the version of the client.
func ownVersion(name string) bool {
	for _, word := range schema.Words(name) {
		switch word {
		case "client", "app", "sdk", "build", "ui", "web", "frontend", "browser", "agent", "device", "os", "platform", "release", "bundle":
			return true
		}
	}
	return false
}

// comparesHeaders reports whether c knows of the values of headers.
func (c *Capture) comparesHeaders() bool {
	return slices.ContainsFunc(c.Observations, func(o Observation) bool {
		return slices.ContainsFunc(o.Headers, func(p Parameter) bool { return p.Distinct > 0 || len(p.Words) > 0 })
	})
}

// checkHeaders refuses headers that keep what no import keeps.
func checkHeaders(headers []Parameter) error {
	for _, p := range headers {
		if p.Distinct < 0 || p.Distinct > maxHeaderValues {
			return fmt.Errorf("the values of header %q are out of range", p.Name)
		}
		for word, n := range p.Words {
			if n < 1 || !isProtocolWord(p.Name, word) {
				return fmt.Errorf("header %q keeps a value that is no word of a protocol", p.Name)
			}
		}
	}
	return nil
}
