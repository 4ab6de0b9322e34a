package capture

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// collector turns exchanges into observations. Collectors that share their
// groups may work at the same time; merged, they are one that got the
// exchanges of all, in any order.
type collector struct {
	hosts   hostList
	maxBody int64
	groups  *groups
	seen    *echoes
	keys    keyUses
	report  Report
	foreign map[string]int
	dropped map[string]int
}

func newCollector(hosts hostList, maxBody int64, shared *groups) *collector {
	return &collector{
		hosts: hosts, maxBody: maxBody, groups: shared, seen: newEchoes(maxEchoes), keys: make(keyUses),
		foreign: make(map[string]int), dropped: make(map[string]int),
	}
}

// add observes an exchange or counts why not.
func (c *collector) add(x *exchange) {
	c.report.Exchanges++
	if !c.hosts.allows(x.origin.host, x.origin.port) {
		c.dropped[dropForeign]++
		c.foreign[strings.Clone(x.origin.String())]++
		return
	}
	c.report.Allowed++
	if reason := dropReason(x); reason != "" {
		c.dropped[reason]++
		return
	}
	segments, slash, ok := splitPath(x.url.EscapedPath())
	if !ok {
		c.dropped[dropURL]++
		return
	}
	query := parseForm(x.url.RawQuery)
	request := c.body(x, &x.request, true)
	response := c.body(x, &x.response, false)
	if overridesMethod(x, query, request) {
		c.dropped[dropOverride]++
		return
	}
	for _, p := range partsOf(operationOf(x, request.json, query), request, response) {
		c.observe(x, segments, slash, query, p)
	}
}

// observe adds one part of an exchange to its group.
func (c *collector) observe(x *exchange, segments []segment, slash bool, query []field, p part) {
	g := c.groups.get(Key{
		Method: x.method, Scheme: x.origin.scheme, Host: x.origin.host, Port: x.origin.port,
		Path: joinPath(segments, slash), Operation: p.op.name, Status: x.status, Failed: p.failed && isSuccess(x.status),
		RequestType: p.request.mime, ResponseType: p.response.mime,
	}, segments)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count++
	g.sources[x.source] = true
	g.addDocument(p.op)
	g.addAuth(authOf(x, query))
	for _, name := range traitsOf(x, slash, p.op) {
		g.traits = sum(g.traits, map[string]int{name: 1})
	}
	g.addQuery(query)
	g.addHeaders(x)
	names := c.addRequest(g, x, p.request)
	c.addResponse(g, x, segments, p, names)
	for i, s := range segments {
		if s.class != "" {
			g.segment(i).value(s.class, echoHash("", s.part))
		}
		if strings.Contains(s.value, "/") {
			g.segment(i).slashes++
		}
	}
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// content is a body that was read.
type content struct {
	mime   string
	there  bool // there is a body and it could be decoded
	json   string
	fields []field
	form   bool
}

// body decodes a body and counts in the report what became of it.
func (c *collector) body(x *exchange, m *message, request bool) content {
	out := content{mime: m.mime()}
	expected := m.text != "" || len(m.params) > 0 || m.missing || m.lost != ""
	if !request && expected {
		c.report.Bodies.Expected++
	}
	var text string
	var err error
	switch {
	case m.missing:
		c.lose(request, missingReason(x, m))
		return out
	case m.lost != "":
		c.lose(request, m.lost)
		return out
	case m.text != "":
		if text, err = decodeBody(m, c.maxBody); err != nil {
			c.lose(request, lostReason(err))
			return out
		}
	}
	if fields, ok := fieldsOf(m, out.mime, text); ok {
		out.fields, out.form, out.there = fields, true, true
		if out.mime == "" {
			out.mime = formType
		}
	} else if text != "" {
		out.there = true
		if json, ok := jsonOf(text, out.mime); ok {
			out.json = json
		}
	}
	if !request && out.there {
		c.report.Bodies.Present++
	}
	return out
}

func (c *collector) lose(request bool, reason string) {
	if c.report.lost == nil {
		c.report.lost = make(map[string]int)
	}
	if request {
		reason = "request: " + reason
	}
	c.report.lost[reason]++
}

func missingReason(x *exchange, m *message) string {
	switch {
	case m == &x.response && x.resource == "document":
		return "a page that was left before it was read"
	case x.stripped:
		return "not kept by the browser: evicted, unread, or exported without content"
	}
	return "not in the file: exported without content, or unread"
}

func lostReason(err error) string {
	if errors.Is(err, errTooLarge) {
		return "larger than the limit for bodies"
	}
	return "could not be decoded"
}

func (g *group) addAuth(list []Auth) {
	for _, a := range list {
		if g.auth[a] == 0 {
			// The name must not keep the text of the entry in memory.
			a.Name = strings.Clone(a.Name)
		}
		g.auth[a]++
	}
}

func (g *group) addQuery(query []field) {
	repeats := make(map[string]int, len(query))
	for _, f := range query {
		if queryCredential(f) != "" || schema.IsData(f.name) || len(f.name) > 128 || f.name == "_" {
			continue
		}
		p := parameter(&g.query, f.name)
		p.Shape.ObserveText(f.value)
		repeats[p.Name]++
	}
	for name, n := range repeats {
		p := g.query[name]
		p.Count++
		if n > 1 {
			p.Repeated++
		}
	}
}

// addRequest observes the request's body and returns the names in it that
// something may be called by from now on.
func (c *collector) addRequest(g *group, x *exchange, body content) given {
	if !body.there {
		return nil
	}
	g.requestBodies++
	var names given
	creates := x.method == "POST" || x.method == "PUT"
	switch {
	case body.form:
		g.request = shapeOf(g.request)
		observeForm(g.request, body.fields)
		for _, f := range body.fields {
			if creates && !f.file {
				names = c.send(names, f.name, f.value)
			}
		}
	case body.json != "":
		to := shapeOf(g.request)
		visit := func(key, value string) {
			c.see(x.origin.host, "", key, value)
			if creates {
				names = c.send(names, key, value)
			}
		}
		if to.ObserveJSON(body.json, visit) == nil {
			g.request = to
		}
	}
	return names
}

func shapeOf(s *schema.Shape) *schema.Shape {
	if s == nil {
		return &schema.Shape{}
	}
	return s
}

// observeForm adds a form as an object of text. Tokens that prove where the
// form comes from are no fields.
func observeForm(to *schema.Shape, fields []field) {
	values := make(map[string][]string)
	form := &schema.Shape{}
	for _, f := range fields {
		if isCSRF(f.name) || f.file {
			continue
		}
		values[f.name] = append(values[f.name], f.value)
	}
	form.ObserveFields(values)
	for _, f := range fields {
		if f.file && values[f.name] == nil {
			values[f.name] = []string{}
			form.ObserveFile(f.name)
		}
	}
	to.Add(form)
}

// addResponse observes the response's body and, where it was a success,
// whether it holds values of the path and names that the request sent.
func (c *collector) addResponse(g *group, x *exchange, segments []segment, p part, names given) {
	body := p.response
	success := isSuccess(x.status) && !p.failed
	if success {
		defer func() { c.keep(x.origin.host, names, x.status) }()
	}
	if !body.there {
		return
	}
	g.responseBodies++
	if body.json == "" {
		return
	}
	to := shapeOf(g.response)
	var visit func(key, value string)
	var own ownEcho
	if success {
		own.segments = segments
		own.list = body.json[0] != '{'
		above := ""
		if (x.method == "GET" || x.method == "POST") && len(segments) > 0 {
			above = x.origin.host + joinPath(segments, false)
		}
		visit = func(key, value string) {
			c.see(x.origin.host, above, key, value)
			own.see(key, value)
			if strings.IndexByte(value, '/') > 0 && c.keys.of(key).names {
				own.seeJoined(value)
			}
			names.answer(value)
		}
	}
	if to.ObserveJSON(body.json, visit) != nil {
		if isJSONType(body.mime) {
			g.responseBodies--
			c.report.Bodies.Present--
			c.lose(false, "JSON that is broken or was cut off")
		}
		return
	}
	g.response = to
	for i, keys := range own.found {
		s := g.segment(i)
		s.echoOwn++
		s.echoKeys = sum(s.echoKeys, keys)
	}
	for i := range own.joined {
		g.segment(i).joinedOwn++
	}
}

// see remembers a value of a body, by its hash, in case it turns out to be in
// a path; and as one that above, a host and a path or empty, answered with.
func (c *collector) see(host, above, key, value string) {
	if !echoable(value) {
		return
	}
	c.join(host, key, value)
	var flags uint64
	if c.keys.of(key).id {
		flags = echoID
	}
	c.seen.add(echoHash(host, value), flags)
	if above != "" {
		c.seen.add(echoHash(above, value), flags)
	}
	if isFullName(key) || flags == echoID && value[0] == '@' {
		for part := range strings.SplitSeq(value, "/") {
			if echoable(part) {
				c.seen.add(echoHash(host, part), echoID)
			}
		}
	}
}

// ownEcho finds the segments of a path whose value the response holds.
type ownEcho struct {
	segments []segment
	list     bool // the response is an array
	found    map[int]map[string]int
	joined   map[int]bool // segments that it holds joined with their neighbours
}

func (o *ownEcho) see(key, value string) {
	for i, s := range o.segments {
		if len(s.value) != len(value) || s.value != value || o.list && sorts(key) {
			continue
		}
		if o.found == nil {
			o.found = make(map[int]map[string]int)
		}
		if o.found[i] == nil {
			o.found[i] = make(map[string]int)
		}
		if !schema.IsData(key) && len(key) <= 64 && len(o.found[i]) < 8 {
			o.found[i][strings.Clone(key)] = 1
		}
	}
}

// merge adds what o collected by itself; o must not be used any more.
func (c *collector) merge(o *collector) {
	c.seen.merge(o.seen)
	c.report.add(&o.report)
	c.foreign = sum(c.foreign, o.foreign)
	c.dropped = sum(c.dropped, o.dropped)
}

// finish makes the capture.
func (c *collector) finish(name string) (*Capture, *Report) {
	out := &Capture{Version: FormatVersion, Name: name, Hosts: c.hosts.patterns, Observations: []Observation{}}
	identifiers := make(map[string]bool)
	distinct := c.groups.distinctHeaders()
	for k, g := range c.groups.byKey {
		o := g.observation(k, c.seen)
		for i := range o.Headers {
			o.Headers[i].Distinct = distinct[headerAt(k, o.Headers[i].Name)]
		}
		out.Observations = append(out.Observations, o)
		visit := func(key string) {
			if any, _ := c.seen.has(echoHash(k.Host, key)); any && echoable(key) {
				identifiers[key] = true
			}
		}
		g.request.EachKey(visit)
		g.response.EachKey(visit)
	}
	out.Identifiers = slices.Sorted(maps.Keys(identifiers))
	slices.SortFunc(out.Observations, func(a, b Observation) int { return compareKeys(a.Key, b.Key) })
	for _, reason := range slices.Sorted(maps.Keys(c.dropped)) {
		out.Dropped = append(out.Dropped, Dropped{Reason: reason, Count: c.dropped[reason]})
	}
	return out, c.makeReport(out)
}
