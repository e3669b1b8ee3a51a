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
}

// Table is an aligned table without borders, three blanks between columns and none at the end of a
// line.
type Table struct {
	cols []Column
	rows []table.Row
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

// Write renders the table with indent before every line.
func (t *Table) Write(w io.Writer, s Style, indent string) error {
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
