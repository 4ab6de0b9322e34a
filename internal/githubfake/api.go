package githubfake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBody is what GitHub takes of a comment.
const maxBody = 65536

// routes are the operations that caskmcp uses.
func (s *Server) routes() {
	s.mux = http.NewServeMux()
	repo := "/repos/" + s.repo()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET " + repo + "/activity":                         s.listActivity,
		"GET " + repo + "/pulls":                            s.listPulls,
		"POST " + repo + "/pulls":                           s.createPull,
		"GET " + repo + "/pulls/{n}":                        s.getPull,
		"PATCH " + repo + "/pulls/{n}":                      s.editPull,
		"GET " + repo + "/pulls/{n}/commits":                s.listPullCommits,
		"GET " + repo + "/pulls/{n}/reviews":                s.listReviews,
		"GET " + repo + "/commits/{sha}/pulls":              s.listPullsOfCommit,
		"GET " + repo + "/commits/{sha}/statuses":           s.listStatuses,
		"POST " + repo + "/statuses/{sha}":                  s.createStatus,
		"GET " + repo + "/issues/{n}/comments":              s.listComments,
		"POST " + repo + "/issues/{n}/comments":             s.createComment,
		"PATCH " + repo + "/issues/comments/{id}":           s.editComment,
		"DELETE " + repo + "/issues/comments/{id}":          s.deleteComment,
		"GET " + repo + "/issues":                           s.listIssues,
		"POST " + repo + "/issues":                          s.createIssue,
		"PATCH " + repo + "/issues/{n}":                     s.editIssue,
		"GET " + repo + "/collaborators/{login}/permission": s.permission,
		"GET /orgs/{org}/teams/{team}/memberships/{login}":  s.membership,
		"GET " + repo + "/git/ref/{ref...}":                 s.getRef,
		"POST " + repo + "/git/refs":                        s.createRef,
		"PATCH " + repo + "/git/refs/{ref...}":              s.updateRef,
		"GET " + repo + "/git/commits/{sha}":                s.getCommit,
		"POST " + repo + "/git/commits":                     s.createCommit,
		"POST " + repo + "/git/trees":                       s.createTree,
		"POST " + repo + "/git/blobs":                       s.createBlob,
		"/":                                                 func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "Not Found") },
	} {
		s.mux.HandleFunc(pattern, h)
	}
	s.play()
}

// read decodes the request; false after an answer.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return false
	}
	return true
}

func (s *Server) url(path string) string { return "https://github.example/" + s.repo() + path }

func userObject(u *User) any {
	if u == nil {
		return nil
	}
	return template("user", object{"login": u.Login, "id": u.ID, "type": u.Type})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// listActivity lists pushes, the newest first. It is paged by a cursor.
func (s *Server) listActivity(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list := []object{}
	for _, x := range slices.Backward(s.state.Pushes) {
		if ref := q.Get("ref"); ref != "" && ref != x.Ref && "refs/heads/"+ref != x.Ref {
			continue
		}
		kind := "push"
		switch {
		case x.Before == zero:
			kind = "branch_creation"
		case !s.git.ancestor(x.Before, x.After):
			kind = "force_push"
		}
		list = append(list, object{
			"id": x.ID, "node_id": "x", "before": x.Before, "after": x.After, "ref": x.Ref, "timestamp": stamp(x.At),
			"activity_type": kind, "actor": userObject(s.user(x.Actor)),
		})
	}
	per := min(max(number(r, "per_page", 30), 1), 100)
	from := min(max(number(r, "after", 0), 0), len(list))
	to := min(from+per, len(list))
	if to < len(list) {
		q.Set("after", strconv.Itoa(to))
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.EscapedPath(), q.Encode()))
	}
	reply(w, http.StatusOK, append([]object{}, list[from:to]...))
}

func (s *Server) pullOf(w http.ResponseWriter, r *http.Request) *Pull {
	n, _ := strconv.Atoi(r.PathValue("n"))
	p := s.pull(n)
	if p == nil {
		refuse(w, http.StatusNotFound, "Not Found")
	}
	return p
}

// commits of a pull request, oldest first.
func (s *Server) commits(p *Pull) []string {
	if p.Merge != "" {
		return p.Commits
	}
	return s.git.lines("rev-list", "--reverse", "refs/heads/"+p.Base+".."+p.SHA)
}

func (s *Server) pullObject(kind string, p *Pull) object {
	base := p.BaseSHA
	if base == "" {
		base = s.git.commit("refs/heads/" + p.Base)
	}
	repo := object{"id": int64(1), "name": s.name, "full_name": s.repo(), "owner": object{"login": s.owner}}
	from := object{"id": int64(1), "name": s.name, "full_name": s.repo(), "owner": object{"login": s.owner}}
	if p.Fork {
		from = object{"id": int64(2), "name": s.name, "full_name": p.Author + "/" + s.name, "fork": true, "owner": object{"login": p.Author}}
	}
	v := object{
		"id": int64(p.Number), "number": p.Number, "title": p.Title, "body": p.Body, "state": p.State, "user": userObject(s.user(p.Author)),
		"html_url": s.url("/pull/" + strconv.Itoa(p.Number)), "created_at": stamp(p.CreatedAt), "updated_at": stamp(p.CreatedAt),
		"head": object{"ref": p.Head, "sha": p.SHA, "repo": from}, "base": object{"ref": p.Base, "sha": base, "repo": repo},
	}
	if p.Merge != "" {
		v["merged_at"], v["closed_at"], v["merge_commit_sha"] = stamp(p.MergedAt), stamp(p.MergedAt), p.Merge
	}
	if kind == "pull" {
		v["merged"], v["commits"] = p.Merge != "", len(s.commits(p))
		if p.Merge != "" {
			v["merged_by"] = userObject(s.user(p.MergedBy))
		}
	}
	return template(kind, v)
}

func (s *Server) getPull(w http.ResponseWriter, r *http.Request) {
	if p := s.pullOf(w, r); p != nil {
		reply(w, http.StatusOK, s.pullObject("pull", p))
	}
}

func (s *Server) listPulls(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list := []object{}
	for i := range s.state.Pulls {
		p := &s.state.Pulls[i]
		state := q.Get("state")
		head := q.Get("head")
		from := s.owner
		if p.Fork {
			from = p.Author
		}
		if state != "all" && p.State != state && (state != "" || p.State != "open") || q.Get("base") != "" && q.Get("base") != p.Base || head != "" && head != from+":"+p.Head {
			continue
		}
		list = append(list, s.pullObject("pull_simple", p))
	}
	page(w, r, list)
}

func (s *Server) createPull(w http.ResponseWriter, r *http.Request) {
	var p struct{ Title, Body, Head, Base string }
	if !read(w, r, &p) {
		return
	}
	if slices.ContainsFunc(s.state.Pulls, func(x Pull) bool { return x.State == "open" && x.Head == p.Head && x.Base == p.Base && !x.Fork }) {
		refuse(w, http.StatusUnprocessableEntity, "A pull request already exists for %s:%s.", s.owner, p.Head)
		return
	}
	n, err := s.openPull(Pull{Title: p.Title, Body: p.Body, Head: p.Head, Base: p.Base, Author: s.caller(r)})
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "%s", err)
		return
	}
	reply(w, http.StatusCreated, s.pullObject("pull", s.pull(n)))
}

func (s *Server) editPull(w http.ResponseWriter, r *http.Request) {
	var e struct{ Title, Body, State *string }
	p := s.pullOf(w, r)
	if p == nil || !read(w, r, &e) {
		return
	}
	set(&p.Title, e.Title)
	set(&p.Body, e.Body)
	set(&p.State, e.State)
	reply(w, http.StatusOK, s.pullObject("pull", p))
}

func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}

func (s *Server) listPullCommits(w http.ResponseWriter, r *http.Request) {
	const most = 250 // GitHub lists no more
	p := s.pullOf(w, r)
	if p == nil {
		return
	}
	commits := s.commits(p)
	details, err := s.git.log(commits[:min(len(commits), most)]...)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "%s", err)
		return
	}
	list := []object{}
	for _, d := range details {
		list = append(list, template("pull_commit", object{
			"sha": d.sha, "author": userObject(s.userOfMail(d.authorMail)), "committer": userObject(s.userOfMail(d.committer)),
			"commit": object{"message": d.message, "tree": object{"sha": d.tree}},
		}))
	}
	page(w, r, list)
}

func (s *Server) listReviews(w http.ResponseWriter, r *http.Request) {
	p := s.pullOf(w, r)
	if p == nil {
		return
	}
	list := []object{}
	for _, x := range s.state.Reviews {
		if x.Pull == p.Number {
			list = append(list, template("review", object{
				"id": x.ID, "user": userObject(s.user(x.User)), "state": x.State, "body": x.Body, "commit_id": x.SHA, "submitted_at": stamp(x.At),
			}))
		}
	}
	page(w, r, list)
}

func (s *Server) listPullsOfCommit(w http.ResponseWriter, r *http.Request) {
	sha := s.git.commit(r.PathValue("sha"))
	if sha == "" {
		refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: %s", r.PathValue("sha"))
		return
	}
	list := []object{}
	for i := range s.state.Pulls {
		p := &s.state.Pulls[i]
		ours := !p.Fork || p.Merge != "" // what only a fork has is found by no commit
		if slices.Contains(p.Landed, sha) || ours && slices.Contains(s.commits(p), sha) {
			list = append(list, s.pullObject("commit_pull", p))
		}
	}
	page(w, r, list)
}

func statusObject(kind string, s *Server, x Status) object {
	return template(kind, object{
		"id": x.ID, "context": x.Context, "state": x.State, "description": x.Description, "target_url": x.URL,
		"creator": userObject(s.user(x.Creator)), "created_at": stamp(x.At), "updated_at": stamp(x.At),
	})
}

func (s *Server) listStatuses(w http.ResponseWriter, r *http.Request) {
	list := []object{}
	for _, x := range slices.Backward(s.state.Statuses) {
		if x.SHA == r.PathValue("sha") {
			list = append(list, statusObject("status", s, x))
		}
	}
	page(w, r, list)
}

func (s *Server) createStatus(w http.ResponseWriter, r *http.Request) {
	const mostOfOne, mostText = 1000, 140
	x := Status{SHA: r.PathValue("sha")}
	if !read(w, r, &x) {
		return
	}
	same := 0
	for _, y := range s.state.Statuses {
		if y.SHA == x.SHA && y.Context == x.Context {
			same++
		}
	}
	switch {
	case s.git.commit(x.SHA) != r.PathValue("sha"):
		refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: %s", r.PathValue("sha"))
		return
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, x.State):
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	case utf8.RuneCountInString(x.Description) > mostText || same >= mostOfOne:
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: description is too long, or too many statuses")
		return
	}
	x.ID, x.Creator, x.At = s.next(), s.caller(r), s.state.Now
	s.state.Statuses = append(s.state.Statuses, x)
	reply(w, http.StatusCreated, statusObject("status_created", s, x))
}

func (s *Server) permission(w http.ResponseWriter, r *http.Request) {
	u := s.user(r.PathValue("login"))
	if u == nil {
		refuse(w, http.StatusNotFound, "%s is not a user", r.PathValue("login"))
		return
	}
	role := u.Permission
	if role == "" {
		role = "none"
	}
	level := map[string]string{"maintain": "write", "triage": "read"}[role]
	if level == "" {
		level = role
	}
	reply(w, http.StatusOK, template("permission", object{"permission": level, "role_name": role, "user": nil}))
}

func (s *Server) membership(w http.ResponseWriter, r *http.Request) {
	if s.caller(r) != AppLogin {
		refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	for team, members := range s.state.Teams {
		if strings.EqualFold(team, r.PathValue("org")+"/"+r.PathValue("team")) {
			for _, m := range members {
				login, state, pending := strings.Cut(m, ":")
				if !pending {
					state = "active"
				}
				if strings.EqualFold(login, r.PathValue("login")) {
					reply(w, http.StatusOK, template("membership", object{"state": state}))
					return
				}
			}
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

func (s *Server) createBlob(w http.ResponseWriter, r *http.Request) {
	var b struct{ Content, Encoding string }
	if !read(w, r, &b) {
		return
	}
	data := []byte(b.Content)
	if b.Encoding == "base64" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(b.Content); err != nil {
			refuse(w, http.StatusUnprocessableEntity, "content is not valid Base64")
			return
		}
	}
	sha, err := s.git.run(data, nil, "hash-object", "-w", "--stdin")
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "%s", err)
		return
	}
	reply(w, http.StatusCreated, template("blob", object{"sha": sha}))
}
