package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/openapi"
	"github.com/tomallicino/caskmcp/toolpack"
)

// maxSpec bounds an OpenAPI document, in bytes.
const maxSpec = 64 << 20

func newOpenAPI(e *env) *cobra.Command {
	var hosts []string
	var name string
	var asJSON, dryRun bool
	c := &cobra.Command{
		Use:   "openapi FILE",
		Short: "Import an OpenAPI 3.0, 3.1 or Swagger 2.0 document as a capture",
		Example: examples(
			`caskmcp openapi petstore.yaml --name petstore`,
			`caskmcp openapi spec.json -a https://api.example.com --name shop`,
		),
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := readBounded(e.abs(args[0]), maxSpec)
			if err != nil {
				return fmt.Errorf("importing specification: %w", err)
			}
			if name != "" {
				if err := toolpack.CheckName(name); err != nil {
					return err
				}
			}
			cpt, skipped, err := openapi.Import(doc, openapi.ImportOptions{Name: name, Hosts: hosts})
			if err != nil {
				return fmt.Errorf("importing %s: %w", args[0], err)
			}
			if cpt.Name == "" {
				cpt.Name = nameFromHost(cpt.Hosts[0])
			}
			if !asJSON {
				e.saySkipped(len(cpt.Declarations), skipped)
			}
			return e.writeCapture(cpt, cpt.Name, dryRun, func(path string, _ []compiler.Decision) error {
				if !asJSON {
					return nil
				}
				if skipped == nil {
					skipped = []openapi.Skipped{}
				}
				return e.writeJSON(map[string]any{"capture": path, "operations": len(cpt.Declarations), "skipped": skipped})
			})
		},
	}
	c.Flags().StringArrayVarP(&hosts, "allowed-hosts", "a", nil, "host or origin where the document's servers are relative or many (repeatable)")
	c.Flags().StringVarP(&name, "name", "n", "", "name of the capture and its toolpack (default: from the host)")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "report, but write nothing")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

// maxSkippedParts bounds the lines about parts that were left out.
const maxSkippedParts = 20

// saySkipped reports an import: every operation that was skipped, and the first
// parts that were left out of others.
func (e *env) saySkipped(imported int, skipped []openapi.Skipped) {
	var operations, parts []openapi.Skipped
	for _, s := range skipped {
		if s.Part == "" {
			operations = append(operations, s)
		} else {
			parts = append(parts, s)
		}
	}
	e.say("%d operations imported, %d skipped", imported, len(operations))
	for _, s := range operations {
		e.say("  %s", s)
	}
	if len(parts) > 0 {
		e.say("%d parts of imported operations left out or changed", len(parts))
	}
	for _, s := range parts[:min(len(parts), maxSkippedParts)] {
		e.say("  %s", s)
	}
	if len(parts) > maxSkippedParts {
		e.say("  … --json lists all")
	}
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(doc)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return doc, err
}
