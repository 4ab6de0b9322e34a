package format_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/format"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		have, supported, err string
	}{
		{"1.0", "1.0", ""},
		{"1", "1.0", ""},
		{"1.0", "1.2", ""},
		{"1.2", "1.2", ""},
		{"1.10", "1.2", "newer caskmcp"},
		{"99", "1.0", "newer caskmcp"},
		{"1.0", "2.0", "older caskmcp"},
		{"", "1.0", "names no version"},
		{"one", "1.0", "no version number"},
		{"1.0-beta", "1.0", "this caskmcp reads 1.0"},
		{"1.0+x", "1.0", "this caskmcp reads 1.0"},
	} {
		t.Run(tc.have+" read by "+tc.supported, func(t *testing.T) {
			err := format.Check(tc.have, tc.supported)
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, format.ErrUnsupported)
			require.ErrorContains(t, err, tc.err)
		})
	}
}
