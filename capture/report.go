package capture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report says how good the input of an import was.
type Report struct {
	Files     int `json:"files"`
	Duplicate int `json:"duplicate_files,omitempty"` // files with the bytes of another one
	Exchanges int `json:"exchanges"`                 // in all files
	Allowed   int `json:"allowed"`                   // of those, with an allowed host
	API       int `json:"api"`                       // of those, not dropped
	Groups    int `json:"groups"`                    // observations made of them
	Bodies    struct {
		Expected int `json:"expected"` // API exchanges whose response has or should have a body
		Present  int `json:"present"`  // of those, with a body that could be decoded
	} `json:"bodies"`
	// Lost says why bodies are missing, most frequent first.
	Lost []Dropped `json:"lost"`
	// Dropped says what is not part of the API, most frequent first.
	Dropped []Dropped `json:"dropped"`
	// Hosts are the allowed hosts that were seen, Foreign the others, most
	// frequent first.
	Hosts   []HostCount `json:"hosts"`
	Foreign []HostCount `json:"foreign"`
	// UnknownAuth counts API exchanges whose exporter may have removed the
	// credentials.
	UnknownAuth int `json:"unknown_auth,omitempty"`

	lost map[string]int
}

// HostCount is a host, with its port unless it is the scheme's, and how many
// exchanges were with it.
type HostCount struct {
	Host  string `json:"host"`
	Count int    `json:"count"`
}

func (r *Report) add(o *Report) {
	r.Exchanges += o.Exchanges
	r.Allowed += o.Allowed
	r.Bodies.Expected += o.Bodies.Expected
	r.Bodies.Present += o.Bodies.Present
	r.lost = sum(r.lost, o.lost)
}

func (c *collector) makeReport(out *Capture) *Report {
	r := c.report
	r.Groups = len(out.Observations)
	hosts := make(map[string]int)
	for _, o := range out.Observations {
		r.API += o.Count
		hosts[origin{o.Scheme, o.Host, o.Port}.String()] += o.Count
		for _, a := range o.Auth {
			if a.Kind == kindUnknown {
				r.UnknownAuth += a.Count
			}
		}
	}
	r.Lost, r.Dropped = reasons(r.lost), reasons(c.dropped)
	r.Hosts, r.Foreign = hostCounts(hosts), hostCounts(c.foreign)
	return &r
}

func reasons(counts map[string]int) []Dropped {
	out := []Dropped{}
	for reason, n := range counts {
		out = append(out, Dropped{Reason: reason, Count: n})
	}
	slices.SortFunc(out, func(a, b Dropped) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Reason, b.Reason))
	})
	return out
}

func hostCounts(counts map[string]int) []HostCount {
	out := []HostCount{}
	for _, host := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, HostCount{Host: host, Count: counts[host]})
	}
	slices.SortStableFunc(out, func(a, b HostCount) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

// String is the report for people, a few lines that end in a newline.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d API exchanges have bodies", r.Bodies.Present, r.Bodies.Expected)
	if r.API > r.Bodies.Expected {
		fmt.Fprintf(&b, " (%d more need none)", r.API-r.Bodies.Expected)
	}
	if missing := r.Bodies.Expected - r.Bodies.Present; missing > 0 {
		fmt.Fprintf(&b, "; %d lack them because:\n", missing)
		writeReasons(&b, r.Lost)
	} else {
		b.WriteString(".\n")
	}
	if left := r.Exchanges - r.API; left > 0 {
		fmt.Fprintf(&b, "Left out %d of %d exchanges:\n", left, r.Exchanges)
		writeReasons(&b, r.Dropped)
	}
	if len(r.Foreign) > 0 {
		var names []string
		for i, h := range r.Foreign {
			if i == 5 {
				names = append(names, fmt.Sprintf("and %d more", len(r.Foreign)-i))
				break
			}
			names = append(names, fmt.Sprintf("%s (%d)", h.Host, h.Count))
		}
		fmt.Fprintf(&b, "Other hosts: %s.\n", strings.Join(names, ", "))
	}
	if r.UnknownAuth > 0 {
		fmt.Fprintf(&b, "%d exchanges show no credentials, but their exporter may have removed them: say in toolpack.yaml how the API authenticates.\n", r.UnknownAuth)
	}
	if r.Duplicate > 0 {
		fmt.Fprintf(&b, "%d files are copies of others and were counted once.\n", r.Duplicate)
	}
	return b.String()
}

func writeReasons(b *strings.Builder, list []Dropped) {
	for _, d := range list {
		fmt.Fprintf(b, "  %5d  %s\n", d.Count, d.Reason)
	}
}
