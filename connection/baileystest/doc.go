// Package baileystest compares this project with an independent implementation: Baileys links to
// the simulator and talks through it, and renders random messages as the translation must. It has
// no code but tests. Without node or the package they say in their log that they were left out;
// .ci/baileys/run installs the package and runs them in full.
package baileystest
