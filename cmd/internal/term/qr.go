package term

import (
	"bytes"
	"strings"

	"github.com/mdp/qrterminal/v3"
	"rsc.io/qr"
)

// QR is a drawn QR code.
type QR struct {
	Lines []string
	Cols  int // cells a line takes
}

// DrawQR draws text as a QR code in half blocks: two modules a row, so that a WhatsApp code needs
// about 30 rows and 60 columns. Without colours it suits a dark background; with them it is black
// on white whatever the terminal's colours are.
func DrawQR(text string, s Style) (QR, error) {
	// the drawer below ignores this error and would fault
	if _, err := qr.Encode(text, qrterminal.L); err != nil {
		return QR{}, err
	}
	var b bytes.Buffer
	qrterminal.GenerateWithConfig(text, qrterminal.Config{Level: qrterminal.L, Writer: &b, HalfBlocks: true, QuietZone: 1})
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	out := QR{Lines: lines}
	for i, line := range lines {
		out.Cols = max(out.Cols, len([]rune(line)))
		lines[i] = s.wrap("97;40", line)
	}
	return out, nil
}
