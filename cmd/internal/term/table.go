package term

import (
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Column is a heading of a Table. Numbers go right.
type Column struct {
	Name  string
	Right bool
	// how narrow its cells may become where the table is too wide; 0: they stay whole, as ids do
	Shrink int
	// an end of its cells that stays whole, beside what they may become
	Tail string
	// cut at their end, as sentences are
	Prose bool
	// left out where the table is too wide however narrow the others become
	Optional bool
}

// Table is an aligned table without borders, three blanks between columns, two where there is no
// room for more, and none at the end of a line.
type Table struct {
	cols  []Column
	rows  []table.Row
	width int // 0: as wide as it comes
	gap   int // what lies between two columns
}

// NewTable makes an empty table.
func NewTable(cols ...Column) *Table { return &Table{cols: cols, gap: wideGap} }

// Row adds a row; it has one cell a column.
func (t *Table) Row(cells ...string) {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	t.rows = append(t.rows, row)
}

// What lies between two columns, and where there is no room for that.
const (
	wideGap   = 3
	narrowGap = 2
)

// Fit has the table take at most width columns, where its cells can be shortened so far: in their
// middle, the widest first. 0 leaves it as wide as it comes.
func (t *Table) Fit(width int) { t.width = width }

// shorten makes the cells fit beside an indent.
func (t *Table) shorten(indent int) {
	if t.width == 0 {
		return
	}
	widths := t.widths()
	if t.total(widths, indent) > t.width {
		t.gap = narrowGap
	}
	for t.leastTotal(widths, indent) > t.width && t.dropOptional() {
		widths = t.widths()
	}
	for total := t.total(widths, indent); total > t.width; total-- {
		widest := -1
		for i := range t.cols {
			if widths[i] > t.least(i, widths[i]) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	for _, row := range t.rows {
		for i := range row {
			switch {
			case t.cols[i].Shrink > 0 && t.cols[i].Prose:
				row[i] = End(row[i].(string), widths[i]) //nolint:forcetypeassert // Row made it
			case t.cols[i].Shrink > 0:
				cell, tail := t.tail(i, row)
				row[i] = Middle(cell, widths[i]-len(tail)) + tail
			}
		}
	}
}

// widths are those of the columns as they come.
func (t *Table) widths() []int {
	widths := make([]int, len(t.cols))
	for i, c := range t.cols {
		widths[i] = columns(c.Name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], columns(row[i].(string))) //nolint:forcetypeassert // Row made it
		}
	}
	return widths
}

// least is how narrow a column of that width can become.
func (t *Table) least(i, width int) int {
	if t.cols[i].Shrink == 0 {
		return width
	}
	tails := 0
	for _, row := range t.rows {
		_, tail := t.tail(i, row)
		tails = max(tails, len(tail))
	}
	return min(width, max(t.cols[i].Shrink+tails, len(t.cols[i].Name)))
}

// tail parts a cell from the end that stays whole, "" where it has none.
func (t *Table) tail(i int, row table.Row) (cell, tail string) {
	cell, _ = row[i].(string)
	if rest, ok := strings.CutSuffix(cell, t.cols[i].Tail); ok {
		return rest, t.cols[i].Tail
	}
	return cell, ""
}

func (t *Table) total(widths []int, indent int) int {
	total := indent - t.gap
	for _, w := range widths {
		total += w + t.gap
	}
	return total
}

func (t *Table) leastTotal(widths []int, indent int) int {
	least := make([]int, len(widths))
	for i, w := range widths {
		least[i] = t.least(i, w)
	}
	return t.total(least, indent)
}

// dropOptional takes the last of the optional columns out.
func (t *Table) dropOptional() bool {
	for i := len(t.cols) - 1; i >= 0; i-- {
		if t.cols[i].Optional {
			t.cols = slices.Delete(t.cols, i, i+1)
			for n := range t.rows {
				t.rows[n] = slices.Delete(t.rows[n], i, i+1)
			}
			return true
		}
	}
	return false
}

// Middle cuts text to at most width columns, in its middle, where an ellipsis stands then: of a URL
// the host and the end of the path say most, and the scheme goes first. Text with colours is left
// whole.
func Middle(s string, width int) string {
	if strings.Contains(s, "\x1b") || columns(s) <= width {
		return s
	}
	for _, scheme := range [...]string{"http://", "https://"} {
		if rest, ok := strings.CutPrefix(s, scheme); ok {
			return Middle(rest, width)
		}
	}
	r := []rune(s)
	head, tail := len(r)/2, len(r)-len(r)/2
	for head+tail > 0 && columns(string(r[:head])+"…"+string(r[len(r)-tail:])) > width {
		if head > tail {
			head--
		} else {
			tail--
		}
	}
	return string(r[:head]) + "…" + string(r[len(r)-tail:])
}

// End cuts text to at most width columns, at its end, where an ellipsis stands then.
func End(s string, width int) string {
	if strings.Contains(s, "\x1b") || columns(s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && columns(string(r))+1 > width {
		r = r[:len(r)-1]
	}
	return strings.TrimRight(string(r), " ") + "…"
}

// Write renders the table with indent before every line.
func (t *Table) Write(w io.Writer, s Style, indent string) error {
	t.shorten(len(indent))
	tw := table.NewWriter()
	tw.SetStyle(table.Style{
		Box:     table.BoxStyle{MiddleVertical: strings.Repeat(" ", t.gap-1), PaddingRight: " "},
		Options: table.Options{SeparateColumns: true},
		Format:  table.FormatOptions{Header: text.FormatDefault, Row: text.FormatDefault},
	})
	head := make(table.Row, len(t.cols))
	configs := make([]table.ColumnConfig, len(t.cols))
	for i, c := range t.cols {
		head[i] = s.Bold(c.Name)
		align := text.AlignLeft
		if c.Right {
			align = text.AlignRight
		}
		configs[i] = table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align}
	}
	tw.AppendHeader(head)
	tw.SetColumnConfigs(configs)
	tw.AppendRows(t.rows)
	var b strings.Builder
	for line := range strings.Lines(tw.Render() + "\n") {
		b.WriteString(indent + strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
