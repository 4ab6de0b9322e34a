// Package github fetches pull requests, reviews and commits, and posts
// comments, statuses and commits. What they mean is decided elsewhere.
package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v66/github"
)

// Errors that a caller may want to tell apart.
var (
	// ErrMoved reports that a branch or pull request is no longer at the commit
	// that was worked with: start again from the new one.
	ErrMoved = errors.New("it has moved on meanwhile")
	// ErrForbidden reports a token that may not do this, as in runs for pull
	// requests from forks, whose token reads only.
	ErrForbidden = errors.New("the token may not do this")
	// ErrProtected reports a branch whose rules refuse the commit.
	ErrProtected = errors.New("the branch's rules refuse it")
	// ErrNotFound reports something that is not there, or that the token may
	// not see.
	ErrNotFound = errors.New("it does not exist, or the token may not see it")
)

// DefaultURL is the API of github.com.
const DefaultURL = "https://api.github.com"

// Options of a Client.
type Options struct {
	// BaseURL is GITHUB_API_URL, with a path for GitHub Enterprise
	// (https://ghe.example/api/v3). Empty is DefaultURL.
	BaseURL string
	// Repository is "owner/name".
	Repository string
	// Token is sent to BaseURL only.
	Token string
	// Transport sends requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
	// Sleep waits between attempts; nil does so for real. It returns early
	// with the context's error.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client talks to one repository. It may be used by several goroutines.
type Client struct {
	api         *gh.Client
	owner, repo string
	sleep       func(ctx context.Context, d time.Duration) error
	app         string
}

// SetApp names the app whose comments and issues are ours too, beside those of
// a job's own token; "" for none. It must not be called while the client is in
// use.
func (c *Client) SetApp(login string) { c.app = login }

// named is s with the app, where it names no author of its own.
func (c *Client) named(s Sticky) Sticky {
	if s.Author == "" {
		s.app = c.app
	}
	return s
}

// requestTimeout bounds one attempt.
const requestTimeout = 30 * time.Second

// New returns a client. It fails on a base URL or repository that is none.
func New(opt Options) (*Client, error) {
	owner, repo, ok := strings.Cut(opt.Repository, "/")
	if !ok || owner == "" || repo == "" || strings.ContainsAny(repo, "/?#%") || strings.ContainsAny(owner, "?#%") {
		return nil, fmt.Errorf("repository %q is not owner/name", opt.Repository)
	}
	if opt.BaseURL == "" {
		opt.BaseURL = DefaultURL
	}
	base, err := url.Parse(strings.TrimSuffix(opt.BaseURL, "/") + "/")
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("API address %q is no http(s) URL", opt.BaseURL)
	}
	if opt.Transport == nil {
		opt.Transport = http.DefaultTransport
	}
	if opt.Sleep == nil {
		opt.Sleep = wait
	}
	api := gh.NewClient(&http.Client{Transport: &transport{
		next: opt.Transport, sleep: opt.Sleep, base: base, token: opt.Token,
	}})
	api.BaseURL = base
	api.UserAgent = "caskmcp"
	return &Client{api: api, owner: owner, repo: repo, sleep: opt.Sleep}, nil
}

// wait is time.Sleep that a context ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// doing wraps err with what was being done, as one of the typed errors where
// it is one.
func doing(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	var e *gh.ErrorResponse
	if !errors.As(err, &e) || e.Response == nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch e.Response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: %w: GitHub answers %d: %s", what, ErrForbidden, e.Response.StatusCode, e.Message)
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// status is the HTTP status that err reports, 0 for another error.
func status(err error) int {
	var e *gh.ErrorResponse
	if errors.As(err, &e) && e.Response != nil {
		return e.Response.StatusCode
	}
	return 0
}

// perPage is the most that GitHub gives.
const perPage = 100

// maxPages bounds what one list may have.
const maxPages = 1000

// all collects the pages of a list.
func all[T any](page func(gh.ListOptions) ([]T, *gh.Response, error)) ([]T, error) {
	var out []T
	opt := gh.ListOptions{PerPage: perPage, Page: 1}
	for range maxPages {
		list, resp, err := page(opt)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		if resp.NextPage == 0 {
			return out, nil
		}
		opt.Page = resp.NextPage
	}
	return nil, fmt.Errorf("the list has more than %d pages", maxPages)
}
