// Package format compares the versions of stored formats with the one that
// this build writes.
package format

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-version"
)

// ErrUnsupported is wrapped by every error of Check.
var ErrUnsupported = errors.New("unsupported format version")

// Check says whether a file of version have can be read by a build that
// writes version supported, both as "major.minor". The major versions must be
// equal and have must not be newer: what this build does not know, it cannot
// verify. The error tells which side is older.
func Check(have, supported string) error {
	want, err := version.NewVersion(supported)
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrUnsupported, supported, err)
	}
	if have == "" {
		return fmt.Errorf("%w: the file names no version; this caskmcp reads %s", ErrUnsupported, supported)
	}
	got, err := version.NewVersion(have)
	if err != nil {
		return fmt.Errorf("%w: %q is no version number; this caskmcp reads %s", ErrUnsupported, have, supported)
	}
	switch {
	case got.Prerelease() != "" || got.Metadata() != "":
		return fmt.Errorf("%w: %q; this caskmcp reads %s", ErrUnsupported, have, supported)
	case got.GreaterThan(want):
		return fmt.Errorf("%w: %s was written by a newer caskmcp; this one reads %s, so upgrade it", ErrUnsupported, have, supported)
	case got.Segments()[0] != want.Segments()[0]:
		return fmt.Errorf("%w: %s was written by an older caskmcp; this one reads %s, so run \"caskmcp migrate\"", ErrUnsupported, have, supported)
	}
	return nil
}
