package plan_test

import (
	"encoding/json"
	"fmt"

	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

func ExampleCompare() {
	before := surface.Tool{
		Name: "get_order", Description: "Returns one order.",
		InputSchema: json.RawMessage(`{"properties":{"expand":{"enum":["items"]}}}`),
		Binding:     surface.Binding{Method: "GET", Scheme: "https", Host: "api.example.com", Port: 443, Path: "/orders"},
		Effect:      surface.Read, Risk: surface.Low, Confirm: surface.Never,
	}
	after := before
	after.InputSchema = json.RawMessage(`{"properties":{"expand":{"enum":["items","all"]}}}`)
	after.Binding.Host = "api.example.net"
	change, err := plan.Compare(before, after)
	if err != nil {
		panic(err)
	}
	for _, f := range change.Fields {
		fmt.Printf("%s: %s -> %s\n", f.Path, f.Before, f.After)
	}
	for _, r := range change.Reasons {
		fmt.Printf("%s %s: %s\n", r.Class, r.Code, r.Text)
	}
	// Output:
	// /binding/host: "api.example.com" -> "api.example.net"
	// /inputSchema/properties/expand/enum: ["items"] -> ["items","all"]
	// block host.changed: host changed from "api.example.com" to "api.example.net"
	// block input.widened: input "expand" accepts more: enum was ["items"], is now ["items","all"]
}
