package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
)

// removed stands for a word of a text that a capture must not hold.
const removed = "[REDACTED]"

var word = regexp.MustCompile(`\S+`)

// holdsSecret names the rule by which text must not be kept, or "".
func holdsSecret(text string) string {
	doc, err := marshal(text)
	if err != nil {
		return err.Error()
	}
	if found := capture.FindSecrets(doc); len(found) > 0 {
		return found[0].Rule
	}
	return ""
}

// cleanText replaces the words that a capture must not hold, such as e-mail
// addresses in a description. A text that is secret as a whole goes.
func cleanText(text string) (cleaned, rule string) {
	if rule = holdsSecret(text); rule == "" {
		return text, ""
	}
	cleaned = word.ReplaceAllStringFunc(text, func(w string) string {
		if holdsSecret(w) != "" {
			return removed
		}
		return w
	})
	if holdsSecret(cleaned) != "" {
		return "", rule
	}
	return cleaned, rule
}

// cleanSchema takes out of an emitted schema what a capture must not hold:
// words of texts, and defaults, constants and enums that are or may be
// secrets.
func cleanSchema(schema json.RawMessage) (json.RawMessage, []note, error) {
	found := capture.FindSecrets(schema)
	if len(found) == 0 {
		return schema, nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(schema))
	dec.UseNumber()
	var root any
	if err := dec.Decode(&root); err != nil {
		return nil, nil, err
	}
	var notes []note
	for _, s := range found {
		if strings.HasSuffix(s.Pointer, "/*") {
			return nil, nil, fmt.Errorf("a name in the schema looks like a secret (%s)", s.Rule)
		}
		at := takeOut(root, s.Pointer)
		if at == "" {
			continue // gone with another
		}
		notes = append(notes, note{": " + clip(at, 200), "it looks like a secret (" + s.Rule + ") and is left out"})
	}
	cleaned, err := marshal(root)
	if err != nil {
		return nil, nil, err
	}
	if len(capture.FindSecrets(cleaned)) > 0 {
		return nil, nil, errors.New("the schema holds what looks like a secret and cannot be left out")
	}
	return cleaned, notes, nil
}

// takeOut cleans the text at a pointer, or deletes the keyword that holds it.
// It returns the pointer of what it changed.
func takeOut(root any, pointer string) string {
	for pointer != "" {
		cut := strings.LastIndexByte(pointer, '/')
		parent, ok := lookup(root, pointer[:cut])
		if !ok {
			return ""
		}
		m, isMap := parent.(map[string]any)
		if !isMap {
			pointer = pointer[:cut] // an item: the list goes
			continue
		}
		key := strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer[cut+1:])
		text, isText := m[key].(string)
		if !hasKey(m, key) {
			return ""
		}
		delete(m, key)
		if isText && (key == "description" || key == "title") {
			if cleaned, _ := cleanText(text); cleaned != "" {
				m[key] = cleaned
			}
		}
		return pointer
	}
	return ""
}
