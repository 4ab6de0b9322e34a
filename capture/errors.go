package capture

import (
	"fmt"
	"strings"
)

// A FileError says what is wrong with an input file and where.
type FileError struct {
	Path string
	// Offset is in bytes, Entry the index in log.entries; -1 where it makes no
	// sense. In a zip archive both are within its har.har.
	Offset int64
	Entry  int
	// Reason is what is wrong, Hint what to do about it.
	Reason string
	Hint   string
	Err    error
}

func (e *FileError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "reading %s: %s", e.Path, e.Reason)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	if e.Entry >= 0 {
		fmt.Fprintf(&b, " (entry %d)", e.Entry)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	return b.String()
}

func (e *FileError) Unwrap() error { return e.Err }

// A NoHostError says that no exchange was with an allowed host.
type NoHostError struct {
	// Allowed is Options.Hosts; Seen are the hosts of the input, most
	// exchanges first.
	Allowed []string
	Seen    []HostCount
}

func (e *NoHostError) Error() string {
	var b strings.Builder
	if len(e.Allowed) == 0 {
		b.WriteString("no host is allowed; pass the API's host with -a")
	} else {
		fmt.Fprintf(&b, "no exchange with %s; pass the API's host with -a", strings.Join(e.Allowed, ", "))
	}
	if len(e.Seen) == 0 {
		b.WriteString(" (the input has no exchanges)")
		return b.String()
	}
	b.WriteString(". Seen:")
	for i, h := range e.Seen {
		if i == 10 {
			fmt.Fprintf(&b, " and %d more", len(e.Seen)-i)
			break
		}
		fmt.Fprintf(&b, " %s (%d)", h.Host, h.Count)
	}
	return b.String()
}
