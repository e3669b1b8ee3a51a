package term

import (
	"io"
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
}

// Table is an aligned table without borders, three blanks between columns and none at the end of a
// line.
type Table struct {
	cols  []Column
	rows  []table.Row
	width int // 0: as wide as it comes
}

// NewTable makes an empty table.
func NewTable(cols ...Column) *Table { return &Table{cols: cols} }

// Row adds a row; it has one cell a column.
func (t *Table) Row(cells ...string) {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	t.rows = append(t.rows, row)
}

// gap is what lies between two columns.
const gap = 3

// Fit has the table take at most width columns, where its cells can be shortened so far: in their
// middle, the widest first. 0 leaves it as wide as it comes.
func (t *Table) Fit(width int) { t.width = width }

// shorten makes the cells fit beside an indent.
func (t *Table) shorten(indent int) {
	if t.width == 0 {
		return
	}
	widths, total := make([]int, len(t.cols)), indent-gap
	for i, c := range t.cols {
		widths[i] = text.StringWidthWithoutEscSequences(c.Name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(row[i].(string))) //nolint:forcetypeassert // Row made it
		}
		total += widths[i] + gap
	}
	for ; total > t.width; total-- {
		widest := -1
		for i, c := range t.cols {
			if c.Shrink > 0 && widths[i] > max(c.Shrink, len(c.Name)) && (widest < 0 || widths[i] > widths[widest]) {
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
			if t.cols[i].Shrink > 0 {
				row[i] = Middle(row[i].(string), widths[i]) //nolint:forcetypeassert // Row made it
			}
		}
	}
}

// Middle cuts text to at most width columns, in its middle, where an ellipsis stands then: of a URL
// the host and the end of the path say most. Text with colours is left whole.
func Middle(s string, width int) string {
	if strings.Contains(s, "\x1b") || text.StringWidthWithoutEscSequences(s) <= width {
		return s
	}
	r := []rune(s)
	head, tail := len(r)/2, len(r)-len(r)/2
	for head+tail > 0 && text.StringWidthWithoutEscSequences(string(r[:head])+"…"+string(r[len(r)-tail:])) > width {
		if head > tail {
			head--
		} else {
			tail--
		}
	}
	return string(r[:head]) + "…" + string(r[len(r)-tail:])
}

// Write renders the table with indent before every line.
func (t *Table) Write(w io.Writer, s Style, indent string) error {
	t.shorten(len(indent))
	tw := table.NewWriter()
	tw.SetStyle(table.Style{
		Box:     table.BoxStyle{MiddleVertical: "  ", PaddingRight: " "},
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
