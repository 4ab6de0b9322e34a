package compiler

import (
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// sealPath replaces the parts of a path that the template takes for
// parameters by the placeholders of their classes.
func sealPath(path, template string) string {
	segments, want := split(path), split(template)
	if len(segments) != len(want) {
		return path
	}
	for i, s := range segments {
		if isPlaceholder(want[i]) {
			segments[i] = sealSegment(s, want[i])
		}
	}
	sealed := "/" + strings.Join(segments, "/")
	if strings.HasSuffix(path, "/") && len(path) > 1 {
		sealed += "/"
	}
	return sealed
}

// isWhole says whether text is one placeholder and nothing else.
func isWhole(text string) bool {
	return len(text) > 2 && text[0] == '{' && strings.IndexByte(text, '}') == len(text)-1
}

func sealSegment(segment, pattern string) string {
	values, ok := capturePattern(pattern, segment)
	if !ok {
		return segment
	}
	for i, v := range values {
		if !isWhole(v) {
			values[i] = "{" + schema.Classify(text(v)) + "}"
		}
	}
	var b strings.Builder
	for i, part := range strings.Split(pattern, "{}") {
		if i > 0 {
			b.WriteString(values[i-1])
		}
		b.WriteString(part)
	}
	return b.String()
}
