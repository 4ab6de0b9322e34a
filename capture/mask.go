package capture

import "regexp"

// Masked stands in a document for a text that was a secret.
const Masked = "REDACTED"

var jsonText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Mask replaces the texts of a JSON document, keys included, that are secrets
// by themselves. It returns nil where secrets are left that only their keys
// tell.
func Mask(doc []byte) []byte {
	masked := jsonText.ReplaceAllFunc(doc, func(text []byte) []byte {
		if len(FindSecrets(text)) > 0 {
			return []byte(`"` + Masked + `"`)
		}
		return text
	})
	if len(FindSecrets(masked)) > 0 {
		return nil
	}
	return masked
}
