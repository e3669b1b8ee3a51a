package mcptools

import (
	"fmt"
	"strings"
)

// didYouMean answers ` Did you mean "x"?` for the known word nearest to a mistyped one, or "".
func didYouMean(given string, known []string) string {
	best, distance := "", 1+max(2, len(given)/3)
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(s))
	}
	for _, k := range known {
		d := editDistance(plain(given), plain(k))
		if p := plain(k); len(p) > 2 && strings.HasSuffix(plain(given), p) {
			d = min(d, 1) // webhook_url for url
		}
		if d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between two short words.
func editDistance(a, b string) int {
	const longest = 64 // names are short; a long value is no typing error
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			differ := 1
			if a[i-1] == b[j-1] {
				differ = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
