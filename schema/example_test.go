package schema_test

import (
	"encoding/json"
	"fmt"

	"github.com/tomallicino/caskmcp/schema"
)

func ExampleShape() {
	var seen schema.Shape
	for _, text := range []string{`{"id":7,"state":"open"}`, `{"id":8,"state":null}`} {
		if err := seen.ObserveJSON(text, nil); err != nil {
			fmt.Println(err)
			return
		}
	}
	doc, err := json.Marshal(seen.Seal(nil).Output())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(doc))
	// Output: {"properties":{"id":{"type":"integer"},"state":{"type":["string","null"]}},"type":"object"}
}
