// Package view turns what the service returns into what the operator's page shows: words, times,
// addresses, plots, codes. It is pure: no clock, no state. What it returns is text or the geometry
// of a drawing, which the templates escape.
package view
