// Package baileystest compares this project with an independent implementation: Baileys links to
// the simulator and talks through it, and renders random messages as the translation must. It has
// no code but tests. They run wherever node and the package are there, and say in their log where
// not; .ci/baileys/run installs the package and compares more messages.
package baileystest
