package surface

// indent does what json.Indent does with two spaces, for a document that
// encoding/json has just written and that needs no parsing again: it is valid
// and has no white space but a line feed at its end.
func indent(doc []byte) []byte {
	out := make([]byte, 0, len(doc)+len(doc)/2)
	depth := 0
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; c {
		case '"':
			end := stringEnd(doc, i)
			out = append(out, doc[i:end]...)
			i = end - 1
		case '{', '[':
			out = append(out, c)
			if closing := c + 2; doc[i+1] == closing { // '}' and ']' are two after '{' and '['
				out = append(out, closing)
				i++
				continue
			}
			depth++
			out = newLine(out, depth)
		case '}', ']':
			depth--
			out = append(newLine(out, depth), c)
		case ',':
			out = newLine(append(out, c), depth)
		case ':':
			out = append(out, ':', ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

func newLine(out []byte, depth int) []byte {
	out = append(out, '\n')
	for range depth {
		out = append(out, "  "...)
	}
	return out
}

// stringEnd is where the string that begins at i ends.
func stringEnd(doc []byte, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i + 1
}
