// Package failpoint names the moments at which a crash test kills the process. In a normal build
// Hit does nothing and costs nothing: it is an empty function that the compiler removes. Built with
// the tag failpoints, a process kills itself at the moment that its environment names.
package failpoint

// Point is one moment in the code that writes.
type Point string

// The moments of the storage. Those inside a transaction lie before its commit; to die after a
// commit of that kind, name the point and CommitSynced behind it.
const (
	// a batch is taken, nothing of it is applied
	CommitBegin Point = "commit.begin"
	// every operation is applied, nothing is written
	CommitApplied Point = "commit.applied"
	// on disk, and not visible in memory
	CommitSynced Point = "commit.synced"
	// visible in memory, and somebody is still to be told
	CommitPublished Point = "commit.published"

	// a new file is whole, under another name
	CreateMigrated Point = "create.migrated"
	// it has its name, and the directory is not synced
	CreateRenamed Point = "create.renamed"

	// a migration is applied, nothing is written
	MigrateApplied Point = "migrate.applied"
	// a migration is on disk, the next one is not begun
	MigrateCommitted Point = "migrate.committed"

	// in a transaction: dedupe keys are written as a run
	SeenSealed Point = "seen.sealed"
	// in a transaction: parts of a merged run are written
	SeenMergedPart Point = "seen.merged-part"
	// in a transaction: a merged run takes the place of its inputs
	SeenMerged Point = "seen.merged"
	// in a transaction: pages of a run that is gone are removed
	SeenRemovedPart Point = "seen.removed-part"

	// in a transaction: old events are removed
	TrimRemoved Point = "trim.removed"
)

// All lists every point of the storage.
func All() []Point {
	return []Point{
		CommitBegin, CommitApplied, CommitSynced, CommitPublished, CreateMigrated, CreateRenamed, MigrateApplied, MigrateCommitted,
		SeenSealed, SeenMergedPart, SeenMerged, SeenRemovedPart, TrimRemoved,
	}
}

// Env is the variable that a process built with the tag reads: points with a count each, like
// "seen.sealed:2,commit.synced:1", to die at the first commit after the second sealing.
const Env = "WAOUTBOX_FAILPOINT"
