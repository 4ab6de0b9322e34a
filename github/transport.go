package github

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// transport adds the token, encodes what GitHub's API takes as one segment of
// a path, and tries again what can be tried again.
type transport struct {
	next  http.RoundTripper
	sleep func(ctx context.Context, d time.Duration) error
	base  *url.URL
	token string
}

const (
	// attempts bound how often one request is sent.
	attempts = 5
	// firstPause doubles after each attempt.
	firstPause = time.Second
	// longestPause is the longest that GitHub may ask to wait for.
	longestPause = 2 * time.Minute
	// secondaryPause is how long GitHub asks to wait after a secondary rate
	// limit that names no time.
	secondaryPause = time.Minute
	// maxErrorBody bounds how much of a refusal is read.
	maxErrorBody = 64 << 10
)

// RoundTrip implements http.RoundTripper. Requests that may have had an effect
// are not repeated after a server error; callers look first what became of
// them.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		r, err := t.request(req)
		if err != nil {
			return nil, err
		}
		resp, err := t.attempt(r)
		if err != nil {
			if attempt == attempts || !repeatable(req) || req.Context().Err() != nil {
				return nil, err
			}
		} else {
			limited, after := rateLimited(resp)
			again := limited || resp.StatusCode >= 500 && repeatable(req)
			if !again || attempt == attempts || after > longestPause {
				return resp, nil
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody))
			_ = resp.Body.Close()
			pause = max(pause, after)
		}
		if err := t.sleep(req.Context(), pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, longestPause)
	}
}

// attempt sends r once, within the time for one request.
func (t *transport) attempt(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	resp, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, cancel: cancel}
	return resp, nil
}

// body ends the time for the request when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}

// errNoBody reports a request whose body cannot be sent a second time.
var errNoBody = errors.New("the request's body can be sent only once")

// request is a copy of req for one attempt.
func (t *transport) request(req *http.Request) (*http.Request, error) {
	r := req.Clone(req.Context())
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return nil, errNoBody
		}
		b, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = b
	}
	if t.token != "" && r.URL.Scheme == t.base.Scheme && r.URL.Host == t.base.Host {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	t.encode(r.URL)
	return r, nil
}

// encode writes the slashes inside the last parameter of git/ref, git/refs and
// contents as %2F: GitHub's OpenAPI document has it as one segment.
func (t *transport) encode(u *url.URL) {
	path := u.EscapedPath()
	rest, ok := strings.CutPrefix(path, t.base.EscapedPath())
	if !ok {
		return
	}
	parts := strings.Split(rest, "/") // repos owner name git refs heads main
	var fixed int
	switch {
	case len(parts) > 4 && parts[0] == "repos" && parts[3] == "contents":
		fixed = 4
	case len(parts) > 5 && parts[0] == "repos" && parts[3] == "git" && (parts[4] == "refs" || parts[4] == "ref"):
		fixed = 5
	default:
		return
	}
	escaped := t.base.EscapedPath() + strings.Join(parts[:fixed], "/") + "/" + strings.Join(parts[fixed:], "%2F")
	if plain, err := url.PathUnescape(escaped); err == nil {
		u.Path, u.RawPath = plain, escaped
	}
}

// repeatable reports whether sending the request twice is the same as sending
// it once. Git objects are named after their content, and of two equal
// statuses the last one holds.
func repeatable(req *http.Request) bool {
	if req.Method != http.MethodPost {
		return true
	}
	p := req.URL.Path
	return strings.HasSuffix(p, "/git/blobs") || strings.HasSuffix(p, "/git/trees") || strings.HasSuffix(p, "/git/commits") ||
		strings.Contains(p, "/statuses/")
}

// rateLimited reports whether GitHub refused a request, without doing
// anything, because there were too many, and how long it asks to wait
// (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api).
func rateLimited(resp *http.Response) (limited bool, after time.Duration) {
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return false, 0
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s >= 0 {
		return true, time.Duration(s) * time.Second
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
		now, err2 := http.ParseTime(resp.Header.Get("Date"))
		if err != nil || err2 != nil {
			return true, secondaryPause
		}
		return true, max(time.Unix(reset, 0).Sub(now), 0) + time.Second
	}
	if resp.StatusCode == http.StatusTooManyRequests || mentionsLimit(resp) {
		return true, secondaryPause
	}
	return false, 0
}

// mentionsLimit looks into the answer for the secondary rate limit and leaves
// it to be read again.
func mentionsLimit(resp *http.Response) bool {
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body = &reread{Reader: io.MultiReader(strings.NewReader(string(doc)), resp.Body), Closer: resp.Body}
	return err == nil && strings.Contains(strings.ToLower(string(doc)), "secondary rate limit")
}

type reread struct {
	io.Reader
	io.Closer
}
