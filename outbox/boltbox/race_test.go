//go:build race

package boltbox_test

// priceLimit is how much longer than with none removed something may take, in tenths. The race
// detector makes the bookkeeping of free pages, of which a file that has seen more holds more, many
// times dearer than the writes themselves.
const priceLimit = 20
