package comment

import (
	"fmt"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
)

// secrets counts what the detectors found in the inputs.
func secrets(notes []plan.Note) int {
	n := 0
	for _, note := range notes {
		if note.Code == plan.SecretNote {
			n++
		}
	}
	return n
}

// withheld is said instead of a plan whose captures hold a secret: any captured
// text could be it.
const withheld = "What would change is not shown while a secret is in the captures: it could be in it."

// secretList is all that is said about plans where the captures of one hold a secret.
func (v *view) secretList(l level) string {
	var b strings.Builder
	b.WriteString("\n> [!CAUTION]\n> Revoke what was leaked: whoever reads this repository has it. Then do what each line says.\n\n")
	shown := 0
	for _, p := range v.packs {
		for _, n := range p.Notes {
			if n.Code == plan.SecretNote && (l < tableOnly || shown < mostItems) {
				shown++
				b.WriteString("- " + noteText(n) + "\n")
			}
		}
	}
	if more := v.n.secrets - shown; more > 0 {
		fmt.Fprintf(&b, "- and %d more\n", more)
	}
	return b.String() + "\n" + withheld + "\n"
}
