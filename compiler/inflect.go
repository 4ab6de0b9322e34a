package compiler

import "strings"

// Names are a contract: what singular returns must not move with a
// dependency, so the rules are here.

// irregular maps plurals that no rule gets right to their singular.
var irregular = map[string]string{
	"aliases": "alias", "analyses": "analysis", "appendices": "appendix", "atlases": "atlas", "axes": "axis",
	"biases": "bias", "bonuses": "bonus", "buses": "bus", "caches": "cache", "campuses": "campus",
	"canvases": "canvas", "censuses": "census", "children": "child", "cookies": "cookie", "crises": "crisis",
	"criteria": "criterion", "diagnoses": "diagnosis", "feet": "foot", "focuses": "focus", "gases": "gas",
	"geese": "goose", "halves": "half", "headaches": "headache", "heroes": "hero", "hypotheses": "hypothesis",
	"indices": "index", "knives": "knife", "leaves": "leaf", "lenses": "lens", "lives": "life",
	"loaves": "loaf", "matrices": "matrix", "men": "man", "mice": "mouse", "movies": "movie",
	"niches": "niche", "parentheses": "parenthesis", "people": "person", "phenomena": "phenomenon",
	"potatoes": "potato", "quizzes": "quiz", "selfies": "selfie", "shelves": "shelf", "statuses": "status",
	"surpluses": "surplus", "teeth": "tooth", "theses": "thesis", "thieves": "thief", "ties": "tie",
	"tomatoes": "tomato", "vertices": "vertex", "viruses": "virus", "vetoes": "veto", "wives": "wife",
	"wolves": "wolf", "women": "woman", "zombies": "zombie", "calories": "calorie", "pies": "pie", "echoes": "echo",
	"syllabuses": "syllabus", "radiuses": "radius", "nexuses": "nexus", "prospectuses": "prospectus",
	"skus": "sku", "menus": "menu", "cpus": "cpu", "gpus": "gpu", "gurus": "guru", "emus": "emu", "corpuses": "corpus", "apparatuses": "apparatus", "buzzes": "buzz", "buffaloes": "buffalo",
}

// uncountable are words that end in s, or are plural, and have no other form.
var uncountable = map[string]bool{
	"alias": true, "always": true, "analytics": true, "atlas": true, "aws": true, "bias": true, "canvas": true,
	"chaos": true, "cms": true, "cors": true, "css": true, "data": true, "dns": true, "ecs": true, "eks": true,
	"gas": true, "gps": true, "graphics": true, "has": true, "https": true, "ios": true, "iss": true, "js": true,
	"k8s": true, "kudos": true, "lens": true, "logistics": true, "media": true, "metadata": true, "news": true,
	"nfs": true, "os": true, "physics": true, "pos": true, "rds": true, "rss": true, "sales": true, "saas": true,
	"series": true, "sms": true, "sns": true, "species": true, "sqs": true, "tls": true, "tvs": true, "us": true,
	"yes": true, "https_redirects": true, "this": true, "goods": true, "means": true,
}

// pluralEndings are tried in order; the first that ends the word is replaced.
var pluralEndings = []struct{ plural, singular string }{
	{"ss", "ss"}, {"us", "us"}, {"is", "is"}, // status, access, analysis
	{"sses", "ss"}, {"shes", "sh"}, {"ches", "ch"}, {"xes", "x"}, {"zzes", "zz"},
	{"ies", "y"}, {"s", ""},
}

// singular returns the singular of an English lower-case word, and words that
// are no plural as they are.
func singular(word string) string {
	if s, ok := irregular[word]; ok {
		return s
	}
	if uncountable[word] || len(word) < 3 {
		return word
	}
	for _, s := range pluralEndings {
		if stem, ok := strings.CutSuffix(word, s.plural); ok && stem != "" {
			return stem + s.singular
		}
	}
	return word
}

// kept are plurals that English keeps in compounds: settings page, not
// setting page.
var kept = wordSet(`settings stats statistics metrics details credentials permissions preferences options results terms rights
	contents flags admissions operations communications savings earnings`)

// compound is the form of a noun before another one: order items.
func compound(words []string) []string {
	if len(words) > 0 && kept[words[len(words)-1]] {
		return words
	}
	return singularLast(words)
}

// isPlural reports whether the word names many things.
func isPlural(word string) bool { return singular(word) != word }
