package surface

// Status is what people decided about a tool.
type Status string

// The statuses of a lockfile block.
const (
	Approved Status = "approved"
	Rejected Status = "rejected"
	Removed  Status = "removed"
)

// Prior is what has been decided before: the compiler keeps approved
// definitions byte for byte unless they are contradicted, and gives no name
// away that is taken. The zero Prior is a first run.
type Prior struct {
	// Entries are sorted by name. Tool is nil for tombstones without a
	// definition.
	Entries []PriorEntry
}

// PriorEntry is one lockfile block as the compiler sees it.
type PriorEntry struct {
	Name     string
	Identity string
	Status   Status
	Tool     *Tool
}
