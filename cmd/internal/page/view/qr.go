package view

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the white border of a QR code, in modules.
const quiet = 4

// QR is a QR code as the path of its black modules.
type QR struct {
	Box  int // side of the drawing, its border included
	Path string
}

// DrawQR draws a text as a QR code.
func DrawQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return QR{}, err
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	return QR{Box: code.Size + 2*quiet, Path: path.String()}, nil
}
