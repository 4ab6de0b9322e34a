package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/internal/format"
)

// ErrAltered reports a plan whose bytes do not match its digest.
var ErrAltered = errors.New("the plan was changed after it was made; run \"caskmcp plan\" again")

// Encode writes p as plan.json: its RFC 8785 form and a newline. Equal plans
// are equal bytes.
func (p *Plan) Encode() ([]byte, error) {
	doc, err := canonical.JSON(p)
	if err != nil {
		return nil, fmt.Errorf("encoding plan: %w", err)
	}
	return append(doc, '\n'), nil
}

// Decode reads plan.json. It refuses other format versions (see
// format.ErrUnsupported), documents that hold anything this version does not
// know, and plans that do not match their digest (ErrAltered).
func Decode(data []byte) (*Plan, error) {
	var head struct {
		FormatVersion string `json:"format_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	if err := format.Check(head.FormatVersion, FormatVersion); err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	want, err := canonical.Transform(data)
	if err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(want, &p); err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	got, err := canonical.JSON(&p)
	if err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	digest, err := p.digest()
	if err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	if !bytes.Equal(got, want) || digest != p.PlanDigest {
		return nil, fmt.Errorf("reading plan: %w", ErrAltered)
	}
	return &p, nil
}

// digest covers everything but PlanDigest. Definitions, which are canonical
// already, go in as their own SHA-256: the same guarantee for a fraction of the
// work.
func (p *Plan) digest() (string, error) {
	q := *p
	q.PlanDigest = ""
	q.Changes = slices.Clone(p.Changes)
	for i := range q.Changes {
		q.Changes[i].Before = sumOf(q.Changes[i].Before)
		q.Changes[i].After = sumOf(q.Changes[i].After)
	}
	return canonical.Digest(q)
}

func sumOf(doc json.RawMessage) json.RawMessage {
	if doc == nil {
		return nil
	}
	return json.RawMessage(`"` + canonical.Sum(doc) + `"`)
}

// HasChanges reports whether applying p would do anything, or the state does
// not verify.
func (p *Plan) HasChanges() bool { return len(p.Changes) > 0 }

// DigestOf is the digest of one plan, or of several in their order; empty for
// none.
func DigestOf(plans ...*Plan) string {
	switch len(plans) {
	case 0:
		return ""
	case 1:
		return plans[0].PlanDigest
	}
	digests := make([]string, len(plans))
	for i, p := range plans {
		digests[i] = p.PlanDigest
	}
	return canonical.Sum([]byte(strings.Join(digests, "\n")))
}
