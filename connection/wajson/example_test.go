package wajson_test

import (
	"fmt"

	"waoutbox/connection/wajson"
)

// A body is written once, in the one form that JSON.parse and JSON.stringify give back unchanged:
// members in the order in which they are added, no escapes that are not needed.
func ExampleObject() {
	data := new(wajson.Object).
		Str("text", "häuser <&> \"漢\"").
		Bool("fromMe", false).
		Arr("mentions", wajson.Strings("15550100123"))
	fmt.Println(string(data.JSON()))
	// Output: {"text":"häuser <&> \"漢\"","fromMe":false,"mentions":["15550100123"]}
}
