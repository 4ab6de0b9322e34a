package main

import (
	"bytes"
	"context"
	"reflect"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
	"github.com/tomallicino/caskmcp/toolpack"
)

// settingsOf looks at the caskmcp.yaml that the pull request brings. It does
// not count here, but it will for the next one. So where only reviews count, it
// takes one itself, by an approver of the highest tier.
func (c *court) settingsOf(ctx context.Context, j *judgement, files []caseFile) error {
	after, err := c.trees.rules(ctx, j.Tree)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		j.Refused = append(j.Refused, err.Error())
		return nil
	case reflect.DeepEqual(after, j.Rules):
		return nil
	}
	j.Settings = "this pull request changes whose word counts from the next one on (" + toolpack.RepositoryFile + "); here the base's rules hold"
	if !acceptsOnlyReviews(j.Rules) || len(files) == 0 {
		return nil
	}
	p, err := settingsPlan(j.Rules, after)
	if err != nil {
		return err
	}
	all := []*apply.Approvals{}
	for _, f := range files {
		all = append(all, apply.Evaluate(p, f.pull.Pull, f.reviews, c.seenSettings(ctx, j.Base, f), j.Rules))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j.settings = comment.Toolpack{Plan: p, Approvals: apply.Combine(p, all)}
	j.SettingsApproval = &j.settings.Approvals.Changes[0]
	if !j.SettingsApproval.Approved {
		j.Settings += "; that takes an approval: " + j.SettingsApproval.Missing
	}
	return nil
}

// settingsPlan is a change of the rules as a plan has changes, so that reviews
// are counted for it as for every other.
func settingsPlan(before, after apply.Rules) (*plan.Plan, error) {
	digest, err := canonical.Digest(after)
	if err != nil {
		return nil, err
	}
	c := plan.Change{Kind: "settings", Name: toolpack.RepositoryFile, Actions: []string{apply.Update}, RequiredApprovals: 1}
	c.Digest.After, c.Risk.After = digest, surface.Critical
	c.Reasons = []plan.Reason{{Code: "settings.changed", Class: plan.Block, Text: "changes whose word counts, from the next pull request on; here the base's rules hold"}}
	for _, x := range []struct {
		name          string
		before, after any
	}{
		{"accept", before.Accept, after.Accept}, {"allow_self", before.AllowSelf, after.AllowSelf},
		{"approvers", before.Approvers, after.Approvers}, {"github/app", before.App, after.App},
	} {
		b, err := canonical.JSON(x.before)
		if err != nil {
			return nil, err
		}
		a, err := canonical.JSON(x.after)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(b, a) {
			c.Fields = append(c.Fields, plan.Field{Path: "/" + x.name, Before: b, After: a})
		}
	}
	return &plan.Plan{Changes: []plan.Change{c}}, nil
}

// seenSettings are the rules that each planned commit would have brought. What
// cannot be read showed none.
func (c *court) seenSettings(ctx context.Context, base string, f caseFile) map[string]apply.Seen {
	seen := map[string]apply.Seen{}
	for sha, at := range f.planned {
		seen[sha] = apply.Seen{PlannedAt: at}
		tree, err := c.trees.repo.merge(ctx, base, sha)
		if err != nil {
			continue
		}
		rules, err := c.trees.rules(ctx, tree)
		if err != nil {
			continue
		}
		if p, err := settingsPlan(apply.Rules{}, rules); err == nil {
			seen[sha] = apply.SeenOf(p, at)
		}
	}
	return seen
}

// settingsLack says what the change of the settings takes, "" for nothing.
func (j *judgement) settingsLack() string {
	if x := j.SettingsApproval; x != nil && !x.Approved && !x.OnMerge {
		return x.Missing
	}
	return ""
}
