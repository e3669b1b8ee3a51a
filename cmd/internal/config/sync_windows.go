package config

// syncDir does nothing: Windows has no handle of a directory that could be flushed, and NTFS journals the rename.
func syncDir(string) error { return nil }
