package comment

import (
	"fmt"
	"strings"
)

// sheet writes the tables of a comment into what room there is.
type sheet struct {
	b    *strings.Builder
	room int // bytes that b may have at the end
	// short leaves out rows for which there is no room; otherwise writing stops
	// where b is over, for it will not be used.
	short bool
}

// section is one table: its head and n rows.
type section struct {
	head string
	n    int
	row  func(i int) string
}

// maxRows is how many rows the tables of a shortened comment have together.
const maxRows = 200

// reserved is what a shortened comment keeps for what follows its tables, in
// bytes.
const reserved = 1500

// write writes sections and returns how many rows are left out; a section
// without rows has no head. If not all rows fit, each section has its share.
func (s *sheet) write(sections ...section) (left int) {
	var wanted []int
	for _, x := range sections {
		wanted = append(wanted, x.n)
	}
	most, rest := wanted, 0
	if s.short && s.room <= MaxBytes {
		most = shares(maxRows, wanted)
	}
	for _, n := range most {
		rest += n
	}
	for i, x := range sections {
		left += s.section(x, most[i], rest)
		rest -= most[i]
	}
	return left
}

// section writes at most that many rows of x, of the rest that there is to
// write.
func (s *sheet) section(x section, most, rest int) (left int) {
	end := s.room - reserved
	share := s.b.Len() + (end-s.b.Len())*most/max(1, rest)
	for i := range x.n {
		if !s.short && s.b.Len() > s.room {
			return 0
		}
		if s.short && i == most {
			return x.n - i
		}
		text := x.row(i)
		if i == 0 {
			text = x.head + text
		}
		if n := s.b.Len() + len(text); s.short && (n > end || i > 0 && n > share) {
			return x.n - i
		}
		s.b.WriteString(text)
	}
	return 0
}

// shares divides total among those who want so many each: equally, but for
// those who want less.
func shares(total int, wanted []int) []int {
	got := make([]int, len(wanted))
	for more := true; more && total > 0; {
		more = false
		for i, n := range wanted {
			if got[i] < n && total > 0 {
				got[i]++
				total--
				more = true
			}
		}
	}
	return got
}

// leftOut says how many rows are not there.
func (s *sheet) leftOut(left int, what, remark string) {
	if left > 0 {
		fmt.Fprintf(s.b, "\n**%s left out here.**%s\n", plural(left, "more "+what)+verb(left, " is", " are"), remark)
	}
}
