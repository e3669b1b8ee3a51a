package admin

// nearest answers the candidate with the smallest edit distance to what was typed, or "" when none is close.
func nearest(typed string, candidates []string) string {
	best, bestDist := "", 4
	for _, c := range candidates {
		if d := distance(typed, c); d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}

// distance is Levenshtein's, over bytes: event names are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
