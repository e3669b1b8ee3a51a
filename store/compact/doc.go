// Package compact copies the live content of a bbolt database into another one while the first is
// being written: a copy of one snapshot, then the difference between that and a newer snapshot, as
// often as it takes. A difference costs what changed and not what is there, since two snapshots of
// one file share the pages that did not change.
package compact
