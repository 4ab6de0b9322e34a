// Package drift compares reality that is not committed, fresh captures or a
// specification, with the approved state. It speaks the plan's vocabulary and
// changes nothing.
package drift

import (
	"errors"
	"fmt"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/plan"
)

// FormatVersion is the version of a report's JSON form.
const FormatVersion = "1.0"

// ErrNoState reports that nothing is approved: without a lockfile there is
// nothing that reality could differ from, which is not the same as no drift.
var ErrNoState = errors.New("there is no lockfile to compare with; run \"caskmcp plan\", then \"caskmcp apply\"")

// Report is how reality differs from what is approved. Equal inputs give equal
// bytes.
type Report struct {
	FormatVersion string    `json:"format_version"`
	Base          plan.Base `json:"base"`
	// Changes are sorted riskiest first. Those with the action "no-op" report
	// what does not touch an approved tool.
	Changes []plan.Change `json:"changes"`
	Notes   []plan.Note   `json:"notes"`
	Summary Summary       `json:"summary"`
	// Blocks says that an approved definition is wrong or that agents would
	// read or reach something nobody approved.
	Blocks bool `json:"blocks"`
	// Digest covers everything but itself.
	Digest string `json:"digest"`
}

// Summary counts changes by their most severe class, and the approved tools
// that were seen and are as approved.
type Summary struct {
	Block     int `json:"block"`
	Review    int `json:"review"`
	Info      int `json:"info"`
	Unchanged int `json:"unchanged"`
}

// HasDrift reports whether an approved tool differs from reality.
func (r *Report) HasDrift() bool { return r.Summary.Block+r.Summary.Review > 0 }

// Encode writes r as canonical JSON (RFC 8785) and a newline.
func (r *Report) Encode() ([]byte, error) {
	doc, err := canonical.JSON(r)
	if err != nil {
		return nil, fmt.Errorf("encoding drift report: %w", err)
	}
	return append(doc, '\n'), nil
}

// finish sorts, counts and digests.
func (r *Report) finish() error {
	plan.Sort(r.Changes)
	plan.SortNotes(r.Notes)
	for _, c := range r.Changes {
		switch c.Class() {
		case plan.Block:
			r.Summary.Block++
		case plan.Review:
			r.Summary.Review++
		default:
			r.Summary.Info++
		}
	}
	r.Blocks = r.Summary.Block > 0
	r.Digest = ""
	digest, err := canonical.Digest(r)
	if err != nil {
		return err
	}
	r.Digest = digest
	return nil
}
