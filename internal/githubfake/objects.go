package githubfake

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (s *Server) createTree(w http.ResponseWriter, r *http.Request) {
	var t struct {
		Base string `json:"base_tree"`
		Tree []struct {
			Path, Mode, Type string
			SHA              *string
			Content          *string
		}
	}
	if !read(w, r, &t) {
		return
	}
	var entries []treeEntry
	for _, e := range t.Tree {
		x := treeEntry{path: e.Path, mode: e.Mode}
		switch {
		case e.Content != nil:
			sha, err := s.git.run([]byte(*e.Content), nil, "hash-object", "-w", "--stdin")
			if err != nil {
				refuse(w, http.StatusUnprocessableEntity, "%s", err)
				return
			}
			x.sha = sha
		case e.SHA != nil:
			if x.sha = *e.SHA; !s.git.exists(x.sha, "blob") {
				refuse(w, http.StatusUnprocessableEntity, "tree.sha %s is not a valid blob", x.sha)
				return
			}
		case s.git.lines("ls-tree", t.Base, "--", e.Path) == nil:
			refuse(w, http.StatusUnprocessableEntity, "GitRPC::BadObjectState: %s is not in the base tree", e.Path)
			return
		}
		entries = append(entries, x)
	}
	sha, err := s.git.tree(t.Base, entries)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "%s", err)
		return
	}
	reply(w, http.StatusCreated, template("tree", object{"sha": sha}))
}

func (s *Server) commitObject(sha string) object {
	d, err := s.git.details(sha)
	if err != nil {
		return nil
	}
	parents := []object{}
	for _, p := range d.parents {
		parents = append(parents, object{"sha": p, "url": s.url("/git/commits/" + p), "html_url": s.url("/commit/" + p)})
	}
	return template("git_commit", object{
		"sha": d.sha, "message": d.message, "tree": object{"sha": d.tree}, "parents": parents,
		"author":    object{"name": d.authorName, "email": d.authorMail, "date": d.authored},
		"committer": object{"name": d.committerName, "email": d.committer, "date": d.committed},
	})
}

func (s *Server) getCommit(w http.ResponseWriter, r *http.Request) {
	if v := s.commitObject(r.PathValue("sha")); v != nil {
		reply(w, http.StatusOK, v)
		return
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

func (s *Server) createCommit(w http.ResponseWriter, r *http.Request) {
	var c struct {
		Message, Tree string
		Parents       []string
	}
	if !read(w, r, &c) {
		return
	}
	if !s.git.exists(c.Tree, "tree") || slices.ContainsFunc(c.Parents, func(p string) bool { return s.git.commit(p) != p }) {
		refuse(w, http.StatusUnprocessableEntity, "Tree SHA or parent does not exist")
		return
	}
	login := s.caller(r)
	author := who{login, strconv.FormatInt(s.user(login).ID, 10) + "+" + login + "@users.noreply.github.com", s.state.Now}
	sha, err := s.git.commitTree(c.Tree, c.Message, author, author, c.Parents...)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "%s", err)
		return
	}
	reply(w, http.StatusCreated, s.commitObject(sha))
}

func (s *Server) refObject(ref string) object {
	sha := s.git.commit(ref)
	if sha == "" {
		return nil
	}
	return template("ref", object{"ref": ref, "object": object{"sha": sha, "type": "commit"}})
}

func (s *Server) getRef(w http.ResponseWriter, r *http.Request) {
	if v := s.refObject("refs/" + r.PathValue("ref")); v != nil {
		reply(w, http.StatusOK, v)
		return
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

func (s *Server) createRef(w http.ResponseWriter, r *http.Request) {
	var c struct{ Ref, SHA string }
	if !read(w, r, &c) {
		return
	}
	switch {
	case !strings.HasPrefix(c.Ref, "refs/heads/"):
		refuse(w, http.StatusUnprocessableEntity, "%s is not a valid ref name.", c.Ref)
	case s.git.commit(c.SHA) != c.SHA:
		refuse(w, http.StatusUnprocessableEntity, "Object does not exist")
	case s.git.commit(c.Ref) != "":
		refuse(w, http.StatusUnprocessableEntity, "Reference already exists")
	default:
		if err := s.git.setRef(c.Ref, c.SHA, zero); err != nil {
			refuse(w, http.StatusUnprocessableEntity, "%s", err)
			return
		}
		s.pushed(s.caller(r), c.Ref, "", c.SHA)
		reply(w, http.StatusCreated, s.refObject(c.Ref))
	}
}

func (s *Server) updateRef(w http.ResponseWriter, r *http.Request) {
	var c struct {
		SHA   string
		Force bool
	}
	if !read(w, r, &c) {
		return
	}
	ref := "refs/" + r.PathValue("ref")
	old := s.git.commit(ref)
	switch {
	case old == "":
		refuse(w, http.StatusUnprocessableEntity, "Reference does not exist")
	case s.git.commit(c.SHA) != c.SHA:
		refuse(w, http.StatusUnprocessableEntity, "Object does not exist")
	case s.protected(strings.TrimPrefix(ref, "refs/heads/")) && s.caller(r) != AppLogin:
		refuse(w, http.StatusUnprocessableEntity, "Repository rule violations found\n\nChanges must be made through a pull request.\n\n")
	case !c.Force && !s.git.ancestor(old, c.SHA):
		refuse(w, http.StatusUnprocessableEntity, "Update is not a fast forward")
	default:
		if err := s.git.setRef(ref, c.SHA, old); err != nil {
			refuse(w, http.StatusConflict, "%s", err)
			return
		}
		s.pushed(s.caller(r), ref, old, c.SHA)
		reply(w, http.StatusOK, s.refObject(ref))
	}
}

func (s *Server) commentObject(x Comment) object {
	return template("comment", object{
		"id": x.ID, "body": x.Body, "user": userObject(s.user(x.User)), "created_at": stamp(x.At), "updated_at": stamp(x.At),
		"html_url": s.url("/pull/" + strconv.Itoa(x.Issue) + "#issuecomment-" + strconv.FormatInt(x.ID, 10)),
	})
}

func (s *Server) listComments(w http.ResponseWriter, r *http.Request) {
	list := []object{}
	for _, x := range s.state.Comments {
		if strconv.Itoa(x.Issue) == r.PathValue("n") {
			list = append(list, s.commentObject(x))
		}
	}
	page(w, r, list)
}

// text reads a body; false after an answer.
func text(w http.ResponseWriter, r *http.Request) (string, bool) {
	var c struct{ Body string }
	if !read(w, r, &c) {
		return "", false
	}
	if n := utf8.RuneCountInString(c.Body); n == 0 || n > maxBody {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: Body is too long (maximum is %d characters) or blank", maxBody)
		return "", false
	}
	return c.Body, true
}

func (s *Server) createComment(w http.ResponseWriter, r *http.Request) {
	body, ok := text(w, r)
	if !ok {
		return
	}
	n, _ := strconv.Atoi(r.PathValue("n"))
	if s.pull(n) == nil && s.issue(n) == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	x := Comment{ID: s.next(), Issue: n, User: s.caller(r), Body: body, At: s.state.Now}
	s.state.Comments = append(s.state.Comments, x)
	reply(w, http.StatusCreated, s.commentObject(x))
}

func (s *Server) comment(w http.ResponseWriter, r *http.Request) int {
	i := slices.IndexFunc(s.state.Comments, func(x Comment) bool { return strconv.FormatInt(x.ID, 10) == r.PathValue("id") })
	if i < 0 {
		refuse(w, http.StatusNotFound, "Not Found")
	}
	return i
}

func (s *Server) editComment(w http.ResponseWriter, r *http.Request) {
	body, ok := text(w, r)
	if !ok {
		return
	}
	if i := s.comment(w, r); i >= 0 {
		x := &s.state.Comments[i]
		x.Body = body
		x.Edits++
		reply(w, http.StatusOK, s.commentObject(*x))
	}
}

func (s *Server) deleteComment(w http.ResponseWriter, r *http.Request) {
	if i := s.comment(w, r); i >= 0 {
		s.state.Comments = slices.Delete(s.state.Comments, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) issue(n int) *Issue {
	for i := range s.state.Issues {
		if s.state.Issues[i].Number == n {
			return &s.state.Issues[i]
		}
	}
	return nil
}

func (s *Server) issueObject(x Issue) object {
	return template("issue", object{
		"id": int64(x.Number), "number": x.Number, "title": x.Title, "body": x.Body, "state": x.State, "user": userObject(s.user(x.User)),
		"html_url": s.url("/issues/" + strconv.Itoa(x.Number)), "created_at": stamp(x.At), "updated_at": stamp(x.At),
	})
}

// listIssues lists pull requests too, as GitHub does.
func (s *Server) listIssues(w http.ResponseWriter, r *http.Request) {
	state := cmp.Or(r.URL.Query().Get("state"), "open")
	numbered := map[int]object{}
	for _, x := range s.state.Issues {
		if state == "all" || x.State == state {
			numbered[x.Number] = s.issueObject(x)
		}
	}
	for _, p := range s.state.Pulls {
		if state == "all" || p.State == state {
			v := s.issueObject(Issue{Number: p.Number, Title: p.Title, Body: p.Body, State: p.State, User: p.Author, At: p.CreatedAt})
			v["pull_request"] = object{"url": s.url("/pull"), "html_url": s.url("/pull"), "diff_url": nil, "patch_url": nil}
			numbered[p.Number] = v
		}
	}
	list := []object{}
	for n := 1; n <= s.last; n++ {
		if v := numbered[n]; v != nil {
			list = append(list, v)
		}
	}
	if r.URL.Query().Get("direction") != "asc" {
		slices.Reverse(list)
	}
	page(w, r, list)
}

func (s *Server) createIssue(w http.ResponseWriter, r *http.Request) {
	var x Issue
	if !read(w, r, &x) {
		return
	}
	if x.Title == "" || utf8.RuneCountInString(x.Body) > maxBody {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	s.last++
	x = Issue{Number: s.last, Title: x.Title, Body: x.Body, State: "open", User: s.caller(r), At: s.state.Now}
	s.state.Issues = append(s.state.Issues, x)
	reply(w, http.StatusCreated, s.issueObject(x))
}

func (s *Server) editIssue(w http.ResponseWriter, r *http.Request) {
	var e struct{ Title, Body, State *string }
	n, _ := strconv.Atoi(r.PathValue("n"))
	x := s.issue(n)
	if x == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if !read(w, r, &e) {
		return
	}
	set(&x.Title, e.Title)
	set(&x.Body, e.Body)
	set(&x.State, e.State)
	reply(w, http.StatusOK, s.issueObject(*x))
}
