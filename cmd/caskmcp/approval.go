package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/apply"
)

type approvalFlags struct {
	toolpack   string
	repository string
	branch     string
	pull       int
	json       bool
}

func newApproval(e *env) *cobra.Command {
	var f approvalFlags
	c := &cobra.Command{
		Use:   "approval",
		Short: "Compute how far a pull request's reviews approve its changes",
		Long: `Approval plans the merge of a pull request as its workflow does and counts its
reviews: those by other people who may approve, for exactly the definitions that
their plan showed. It reads git and the GitHub API, and writes nothing.

The token is read from GITHUB_TOKEN or GH_TOKEN, the address of GitHub Enterprise
from GITHUB_API_URL.

Exit status: 0 everything is approved; 3 something is not; 1 when it could not
work.`,
		Example: examples(
			`caskmcp approval --pr 12 --repository acme/shop`,
			`caskmcp check --github --pr 12 --json`,
		),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return e.runApproval(c.Context(), f) },
	}
	addApprovalFlags(c, &f)
	addToolpack(c, &f.toolpack)
	c.Flags().BoolVar(&f.json, "json", false, "print the approvals as JSON")
	return c
}

func addApprovalFlags(c *cobra.Command, f *approvalFlags) {
	c.Flags().IntVar(&f.pull, "pr", 0, "number of the pull request")
	c.Flags().StringVar(&f.repository, "repository", "", "owner/name (default: GITHUB_REPOSITORY, else the remote origin)")
	c.Flags().StringVar(&f.branch, "branch", "", "branch that merges are applied on (default: what git says, else main)")
}

// approvalResult is the output of "approval --json".
type approvalResult struct {
	Pull     int            `json:"pull"`
	Head     string         `json:"head"`
	Base     string         `json:"base"`
	Approved bool           `json:"approved"`
	Refused  []string       `json:"refused"`
	Packs    []approvalPack `json:"toolpacks"`
}

type approvalPack struct {
	Name string `json:"name"`
	Plan string `json:"plan_digest"`
	*apply.Approvals
}

func (e *env) runApproval(ctx context.Context, f approvalFlags) (err error) {
	if f.pull <= 0 {
		return hint(errors.New("no pull request given"), "caskmcp approval --pr NUMBER")
	}
	c, err := e.approvalCourt(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.trees.close()) }()
	j, err := c.judge(ctx, f.pull)
	if err != nil {
		return err
	}
	if f.json {
		err = e.writeJSON(j.result(f.pull))
	} else {
		e.printApproval(j)
	}
	if err != nil || j.green() {
		return err
	}
	return hint(gateError("pull request %d is not approved: %s", f.pull, j.status("").Description), "a review with Approve counts for exactly what its plan shows")
}

// approvalCourt opens the repository and the API for a command outside of
// Actions.
func (e *env) approvalCourt(ctx context.Context, f approvalFlags) (*court, error) {
	token := e.Getenv("GITHUB_TOKEN")
	if token == "" {
		token = e.Getenv("GH_TOKEN")
	}
	if token == "" {
		return nil, hint(errors.New("GITHUB_TOKEN is not set"), "a token that may read pull requests is enough: export GITHUB_TOKEN=$(gh auth token)")
	}
	server := e.Getenv("GITHUB_SERVER_URL")
	if server == "" {
		server = "https://github.com"
	}
	repo, err := openRepo(ctx, e.Dir, server, token)
	if err != nil {
		return nil, err
	}
	if f.repository == "" {
		f.repository = e.Getenv("GITHUB_REPOSITORY")
	}
	if f.repository == "" {
		f.repository = originOf(ctx, repo)
	}
	host, err := e.newHost(token, f.repository)
	if err != nil {
		return nil, hint(err, "name it with --repository OWNER/NAME")
	}
	t, err := e.newTrees(repo)
	if err != nil {
		return nil, err
	}
	if f.branch == "" {
		f.branch = defaultBranch(ctx, repo.top)
	}
	return &court{host: host, trees: t, only: f.toolpack, branch: f.branch}, nil
}

// originOf is owner/name of the remote origin, "" where it cannot be told.
func originOf(ctx context.Context, r *repo) string {
	out, err := r.git(ctx, "remote", "get-url", "origin")
	if err != nil {
		return ""
	}
	parts := strings.FieldsFunc(strings.TrimSuffix(strings.TrimSpace(string(out)), ".git"), func(c rune) bool { return c == '/' || c == ':' })
	if len(parts) < 2 {
		return ""
	}
	return strings.Join(parts[len(parts)-2:], "/")
}

func (j *judgement) result(number int) approvalResult {
	out := approvalResult{Pull: number, Head: j.Head, Base: j.Base, Approved: j.green(), Refused: append([]string{}, j.Refused...), Packs: []approvalPack{}}
	for _, p := range j.Packs {
		out.Packs = append(out.Packs, approvalPack{Name: p.Name, Plan: p.Work.Plan.PlanDigest, Approvals: p.Approvals})
	}
	return out
}

// printApproval prints one line for each change.
func (e *env) printApproval(j *judgement) {
	for _, text := range j.Refused {
		fmt.Fprintf(e.Stdout, "✗ %s\n", printable(line(text)))
	}
	for _, p := range j.Packs {
		for _, c := range p.Approvals.Changes {
			mark, state := "✗", c.Missing
			if c.Approved {
				mark, state = "✓", approvedBy(c)
			}
			fmt.Fprintln(e.Stdout, printable(line(fmt.Sprintf("%s %s: %s %s %s: %s", mark, p.Name, c.Action, c.Kind, c.Name, state))))
		}
		for _, i := range p.Approvals.Ignored {
			fmt.Fprintln(e.Stdout, printable(line(fmt.Sprintf("  the review by %s does not count: it %s", i.Login, i.Why))))
		}
	}
	fmt.Fprintln(e.Stdout, printable(j.status("").Description))
}

func approvedBy(c apply.ChangeApproval) string {
	if len(c.By) == 0 {
		return "takes no approval"
	}
	var who []string
	for _, b := range c.By {
		who = append(who, b.Person.Login)
	}
	return "approved by " + strings.Join(who, ", ")
}
