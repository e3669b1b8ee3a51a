package term

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// maxTypos is how many letters a word may be away from the one that was meant.
const maxTypos = 3

// DidYouMean returns " Did you mean X?" for what is nearest to a word that is not known, "" when
// nothing is near. A beginning is near too. Case does not count.
func DidYouMean(typed string, known []string) string {
	near := nearest(strings.ToLower(typed), known)
	if len(near) == 0 {
		return ""
	}
	return " Did you mean " + strings.Join(near, " or ") + "?"
}

// nearest returns the words with the fewest typos, at most maxTypos and fewer than half of the
// word, else those that typed begins.
func nearest(typed string, known []string) (near []string) {
	best := min(maxTypos, (len(typed)-1)/2)
	var begun []string
	for _, word := range known {
		lower := strings.ToLower(word)
		if len(typed) > 0 && strings.HasPrefix(lower, typed) {
			begun = append(begun, word)
		}
		if len(typed)-len(lower) > maxTypos || len(lower)-len(typed) > maxTypos {
			continue
		}
		switch d := levenshtein.ComputeDistance(typed, lower); {
		case d < best || d == best && best > 0 && len(near) == 0:
			near, best = []string{word}, d
		case d == best && best > 0:
			near = append(near, word)
		}
	}
	if len(near) == 0 {
		return begun
	}
	return near
}
