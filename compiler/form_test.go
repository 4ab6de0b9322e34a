package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
)

func observations(paths []string) []capture.Observation {
	out := make([]capture.Observation, len(paths))
	for i, p := range paths {
		out[i] = capture.Observation{Key: capture.Key{Method: "GET", Scheme: "https", Host: "api.example.com", Port: 443, Path: p, Status: 200}, Count: 1}
	}
	return out
}

func TestFormOf(t *testing.T) {
	for text, want := range map[string]string{
		"3F2504E0-4F89-11D3-9A0C-0305E82C3301": "form: id",
		"01J9ZC2V6Q4W8X0Y3N5M7K1T2R":           "form: id",
		"arn:aws:iam::1:role%2Fadmin":          "form: id",
		"jane@example.com":                     "form: address",
		"2001:db8::1":                          "form: address",
		"9fceb02d0ae5":                         "form: address",
		"10231":                                "form: number",
		"-1":                                   "form: short number",
		"2026-01-05":                           "form: date",
		"dQw4w9WgXcQ":                          "form: random",
		"cus_Nffrf9X2":                         "form: prefixed id",
		"18.2.0":                               "form: release",
		"left-pad-1.3.0.tgz":                   "form: release",
		"red-4a":                               "form: mixed",
		"main...dev":                           "form: composite",
		"@games%2Fchess":                       "form: handle",
		"docs%2Fa.md":                          "form: composite",
		"Customers('ALFKI')":                   "form: composite",
		"shop.example.org":                     "form: host",
		"orders:publish":                       "form: custom method",
		"AAPL":                                 "form: upper case",
		"client.json":                          "form: file",
		"12.json":                              "form: short number",
		"main.go":                              "form: source file",
		"how-to-cook-rice":                     "form: slug",
		"marble-ochre":                         "form: kebab",
		"getInvoices":                          "form: camel",
		"users":                                "form: word",
		"v1beta1":                              "form: version",
		"1.1":                                  "form: version",
		"_all_docs":                            "form: route mark",
		"-rev":                                 "form: route mark",
		"-":                                    "form: symbol",
		"getCustomerSubscriptionEntitlements":  "form: camel",
	} {
		require.Equal(t, want, formNames[formOf(text)], text)
	}
}

func TestEveryFactHasAWeight(t *testing.T) {
	for f, name := range formNames {
		_, ok := weights[name]
		require.True(t, ok, "form %d: %q", f, name)
	}
	for word, u := range lexicon() {
		require.NotEmpty(t, word)
		require.True(t, u.whole > 0 || u.part > 0, word)
		if fact := routeWord(word); fact != "" {
			require.Contains(t, weights, fact, word)
		}
	}
	require.Greater(t, len(lexicon()), 2000)
}

func TestRouteWord(t *testing.T) {
	for text, want := range map[string]string{
		"users": "word: everywhere", "Users": "word: everywhere", "main": "word: ambiguous", "marble": "", "marble-ochre": "",
		"two-factor-authentication-settings": "word: parts common", "fieldconfiguration": "word: parts common", "orders:publish": "word: everywhere",
		"client.json": "word: ambiguous",
	} {
		require.Equal(t, want, routeWord(text), text)
	}
}
