package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
	"github.com/tomallicino/caskmcp/toolpack"
)

// plan plans what the event is about: a pull request, a merge group, or the
// work tree.
func (r *actionRun) plan(ctx context.Context) (err error) {
	if r.ev.PullRequest == nil && r.ev.MergeGroup == nil {
		return r.planWorkTree(ctx)
	}
	c, err := r.court(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.trees.close()) }()
	j, err := r.judgement(ctx, c)
	if err != nil {
		return r.failed(ctx, err)
	}
	return r.conclude(ctx, c, j)
}

// approval counts the reviews of a pull request again: of the one that was
// reviewed, or of those whose plan or review has just run (workflow_run).
func (r *actionRun) approval(ctx context.Context) (err error) {
	if r.host == nil {
		return hint(errors.New("counting reviews needs the GitHub API"), "leave the input github-token as it is")
	}
	c, err := r.court(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.trees.close()) }()
	if r.ev.WorkflowRun != nil {
		return r.approvalOfRun(ctx, c)
	}
	if r.ev.PullRequest == nil && r.ev.MergeGroup == nil {
		return errors.New("this event is about no pull request")
	}
	j, err := r.judgement(ctx, c)
	if err != nil {
		return r.failed(ctx, err)
	}
	return r.conclude(ctx, c, j)
}

// approvalOfRun judges the open pull requests from the branch that a finished
// run of the plan or of a review was for, as they are now. It believes nothing
// else of that run.
func (r *actionRun) approvalOfRun(ctx context.Context, c *court) error {
	owner, branch := r.ev.ranFor()
	if owner == "" || branch == "" {
		r.notice("The finished run was not for a pull request: nothing to count.")
		return nil
	}
	numbers, err := c.host.OpenPullsFrom(ctx, owner, branch)
	if err != nil {
		return err
	}
	judged := false
	for _, n := range numbers {
		pull, err := c.host.Pull(ctx, n)
		if err != nil {
			return err
		}
		if !pull.Open || pull.BaseRef != c.branch {
			continue
		}
		j, err := c.judge(ctx, n)
		if err != nil {
			return r.failed(ctx, err)
		}
		if err := r.conclude(ctx, c, j); err != nil {
			return err
		}
		judged = true
	}
	if !judged {
		r.notice("No open pull request to %s comes from that run's branch: nothing to count.", c.branch)
	}
	return nil
}

// judgement judges what the event is about. Without a token it only plans.
func (r *actionRun) judgement(ctx context.Context, c *court) (*judgement, error) {
	p, m := r.ev.PullRequest, r.ev.MergeGroup
	switch {
	case r.host == nil && p != nil:
		return c.planOnly(ctx, p.Base.SHA, p.Head.SHA)
	case r.host == nil:
		return c.planOnly(ctx, m.BaseSHA, m.HeadSHA)
	case p != nil:
		return c.judge(ctx, r.ev.pullNumber())
	}
	return c.judgeGroup(ctx, m.BaseSHA, m.HeadSHA, r.ev.queuedPull())
}

// planOnly plans the merge of two commits; nobody has approved anything.
func (c *court) planOnly(ctx context.Context, base, head string) (*judgement, error) {
	tree, err := c.trees.repo.merge(ctx, base, head)
	if err != nil {
		return nil, err
	}
	j := &judgement{Base: base, Head: head, Tree: tree}
	return j, c.fill(ctx, j, nil)
}

// conclude reports a judgement everywhere: outputs, summary, log, annotations,
// artifact, comment, and the status, which is about all toolpacks even where a
// workflow names one.
func (r *actionRun) conclude(ctx context.Context, c *court, all *judgement) error {
	j, err := all.only(r.in.Toolpack)
	if err != nil {
		return err
	}
	if err := r.publish(j); err != nil {
		return err
	}
	if err := r.setStatus(ctx, c, all); err != nil {
		return err
	}
	if err := r.comment(ctx, j); err != nil {
		return err
	}
	if r.ev.fork() {
		r.summarise(forkSummary)
	}
	return r.failOn(j)
}

// names are those of the toolpacks, in order.
func (j *judgement) names() (names []string) {
	for _, p := range j.Packs {
		names = append(names, p.Name)
	}
	return names
}

// only is the part of j that is about one toolpack, j itself for "".
func (j *judgement) only(ref string) (*judgement, error) {
	if ref == "" {
		return j, nil
	}
	i := slices.Index(j.names(), packName(ref))
	if i < 0 {
		return nil, hint(fmt.Errorf("there is no toolpack %q to plan", ref), "there are: "+strings.Join(j.names(), ", "))
	}
	part := *j
	part.Packs = j.Packs[i : i+1]
	return &part, nil
}

// publish writes what needs no API.
func (r *actionRun) publish(j *judgement) error {
	var plans []*plan.Plan
	risk, needs := surface.Risk(""), len(j.Refused) > 0
	for i, p := range j.Packs {
		if err := r.leave(j, p.Name, r.toolpacks(j)[i]); err != nil {
			return err
		}
		if err := r.logCaptured(plan.Text(p.Work.Plan, plan.TextOptions{Verbose: true})); err != nil {
			return err
		}
		plans = append(plans, p.Work.Plan)
		if at := p.Work.Plan.Summary.Risk; at.Rank() > risk.Rank() {
			risk = at
		}
		needs = needs || !p.Approvals.Approved
	}
	r.summarise(comment.Summary(r.toolpacks(j), r.options(j)))
	r.annotate(r.annotations(j))
	if j.Settings != "" {
		if j.SettingsApproval == nil {
			r.summarise("\n> [!WARNING]\n> " + j.Settings + "\n")
		}
		r.annotate([]annotation{{Level: "warning", File: j.Prefix + toolpack.RepositoryFile, Title: "caskmcp", Text: j.Settings}})
	}
	for _, text := range j.Refused {
		r.annotate([]annotation{{Level: "error", Title: "caskmcp", Text: text}})
	}
	return r.setOutputs(map[string]string{
		"has-changes": strconv.FormatBool(j.changes()), "needs-approval": strconv.FormatBool(needs),
		"highest-risk": string(risk), "plan-digest": plan.DigestOf(plans...), "plan-path": r.plansDir(),
	})
}

func (s *step) setOutputs(values map[string]string) error {
	for _, name := range sortedKeys(values) {
		if err := s.setOutput(name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// leave writes plan.json, plan.md and report.html of one toolpack for
// upload-artifact.
func (r *actionRun) leave(j *judgement, name string, t comment.Toolpack) error {
	dir, opt := filepath.Join(r.plansDir(), name), r.options(j)
	opt.Settings = nil // which are of no toolpack
	doc, err := t.Plan.Encode()
	if err != nil {
		return fmt.Errorf("saving plan: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("saving plan: %w", err)
	}
	page, err := comment.HTML(t, opt)
	if err != nil {
		return fmt.Errorf("saving plan: %w", err)
	}
	for name, data := range map[string][]byte{
		"plan.json": doc, "plan.md": []byte(comment.Summary([]comment.Toolpack{t}, opt)), "report.html": page,
	} {
		if err := files.Write(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("saving plan: %w", err)
		}
	}
	return nil
}

// setStatus sets the status caskmcp/approval of the head. Only for pull
// requests to the default branch: a status belongs to a commit, and elsewhere
// other rules hold.
func (r *actionRun) setStatus(ctx context.Context, c *court, j *judgement) error {
	if r.host == nil {
		return nil
	}
	if slices.ContainsFunc(j.Pulls, func(p *github.Pull) bool { return p.BaseRef != c.branch }) {
		r.notice("The pull request does not go to %s, so nothing is applied when it is merged, and caskmcp/approval is not set.", c.branch)
		return nil
	}
	_, err := r.host.SetStatus(ctx, j.Head, j.status(r.runURL()))
	return r.refused(err, "setting the status caskmcp/approval", "statuses")
}

// failOn is the verdict of the step.
func (r *actionRun) failOn(j *judgement) error {
	_, missing := j.count()
	on := r.in.FailOn
	switch {
	case len(j.Refused) > 0 && on != "error":
		return gateError("%s", j.Refused[0])
	case missing > 0 && on == "unapproved":
		return gateError("%s not approved, and fail-on is unapproved", map[bool]string{true: "1 change is", false: fmt.Sprintf("%d changes are", missing)}[missing == 1])
	case j.changes() && on == "changes":
		return gateError("the plan has changes, and fail-on is changes")
	}
	return nil
}

// failed reports a pull request that could not be planned, where people look.
func (r *actionRun) failed(ctx context.Context, err error) error {
	r.summarise(comment.Plan(nil, comment.Options{State: comment.Failed, Failure: err.Error(), RunURL: r.runURL()}))
	if r.host == nil || r.ev.PullRequest == nil {
		return err
	}
	s := github.Status{Context: approvalStatus, State: github.Error, Description: "the plan failed: " + line(err.Error()), URL: r.runURL()}
	_, e := r.host.SetStatus(ctx, r.ev.PullRequest.Head.SHA, s)
	if e := r.refused(e, "setting the status caskmcp/approval", "statuses"); e != nil {
		return errors.Join(err, e)
	}
	return errors.Join(err, r.commentFailed(ctx, err))
}

// planWorkTree plans the checked-out files, against base where it is given.
func (r *actionRun) planWorkTree(ctx context.Context) error {
	j := &judgement{}
	names := []string{r.in.Toolpack}
	if r.in.Toolpack == "" {
		names = knownPacks(r.root)
	}
	for _, name := range names {
		w, err := r.env.open(ctx, name, r.in.Base)
		if err != nil {
			return err
		}
		p := packJudgement{Name: w.Pack.Config.Name, Work: w}
		p.Approvals = apply.Evaluate(w.Plan, apply.Pull{}, nil, nil, apply.Rules{})
		j.Packs = append(j.Packs, p)
		j.Refused = append(j.Refused, refusals(w)...)
	}
	if err := r.publish(j); err != nil {
		return err
	}
	return r.failOn(j)
}

// maxAnnotated bounds the files that annotations find lines in, in bytes.
const maxAnnotated = 32 << 20

// annotations are the remarks of the plans at the lines of their inputs.
func (r *actionRun) annotations(j *judgement) []annotation {
	var out []annotation
	for _, a := range comment.Annotations(r.toolpacks(j), func(pack int, name string) []byte {
		if !filepath.IsLocal(name) {
			return nil
		}
		doc, err := readBounded(filepath.Join(j.Packs[pack].Work.Pack.Root, filepath.FromSlash(name)), maxAnnotated)
		if err != nil {
			return nil
		}
		return doc
	}) {
		file := a.File
		if file != "" {
			file = j.Prefix + file
		}
		out = append(out, annotation{Level: a.Level, File: file, Line: a.Line, Title: a.Title, Text: a.Message})
	}
	return out
}
