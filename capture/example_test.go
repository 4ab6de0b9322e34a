package capture_test

import (
	"context"
	"fmt"

	"github.com/tomallicino/caskmcp/capture"
)

func ExampleObserve() {
	c, report, err := capture.Observe(context.Background(), []string{"testdata/chrome.har"}, capture.Options{
		Name:  "shop",
		Hosts: []string{"api.shop.example"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range c.Observations {
		fmt.Println(o.Count, o.Method, o.Path, o.Status)
	}
	fmt.Print(report)
	// Output:
	// 1 GET /v1/orders 200
	// 1 POST /v1/orders 201
	// 1 GET /v1/orders/{int} 200
	// 3 of 3 API exchanges have bodies.
	// Left out 6 of 9 exchanges:
	//       1  HTML page
	//       1  aborted or failed
	//       1  asset
	//       1  other host
	//       1  preflight, HEAD or OPTIONS
	//       1  websocket
	// Other hosts: www.google-analytics.com (1).
}
