package comment

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// Marker is what a sticky comment of that kind ("plan" or "drift") and key
// begins with, and by which it is found again.
func Marker(kind, key string) string {
	if len(key) > maxKey {
		key = fmt.Sprintf("%s-%x", key[:maxKey/2], sha256.Sum256([]byte(key)))
	}
	return fmt.Sprintf("<!-- caskmcp:%s v=1 key=%s ", word(kind), word(key))
}

// maxKey is how many bytes of a key are written; a longer one is told apart by
// its digest.
const maxKey = 64

// marker is the first line of a comment, empty without a key.
func marker(kind string, opt Options, digest string) string {
	if opt.Key == "" {
		return ""
	}
	text := Marker(kind, opt.Key)
	for _, f := range []struct {
		name, value string
		most        int
	}{{"head", opt.Head, 12}, {"base", opt.Base, 12}, {kind, digest, len("sha256:") + 12}} {
		if f.value != "" {
			text += f.name + "=" + word(f.value[:min(len(f.value), f.most)]) + " "
		}
	}
	return text + "-->\n"
}

// word writes s so that it cannot end a marker or one of its fields.
func word(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-', c == ':':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
