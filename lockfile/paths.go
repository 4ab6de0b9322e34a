package lockfile

import (
	"path"
	"regexp"
	"strings"
)

// Documents of the policy and server blocks.
const (
	PolicyPath = ApprovedDir + "/policy.json"
	ServerPath = ApprovedDir + "/server.json"
)

// toolName is what may name a tool, and so a file: MCP 2025-11-25 allows
// A-Z a-z 0-9 _ - . and 128 characters; a leading dot or dash is refused.
var toolName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// ValidName reports whether name can name a tool in the state.
func ValidName(name string) bool { return toolName.MatchString(name) }

// DefinitionPath is where the approved definition of a tool is stored, inside
// the lockfile folder. Tools called "policy" and "server" step aside for the
// documents of those names.
func DefinitionPath(tool string) string {
	if f := Fold(tool); f == "policy" || f == "server" {
		tool += "~"
	}
	return path.Join(ApprovedDir, tool+".json")
}

// Fold maps names that are one file on a file system that ignores case to one
// string. Two tools must not share it.
func Fold(name string) string { return strings.ToLower(name) }
