//go:build !race

package boltbox_test

// priceLimit is how much longer than with none removed something may take, in tenths.
const priceLimit = 12
