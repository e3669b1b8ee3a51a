package main

import (
	"errors"

	"waoutbox/connection/wasim"
)

// startSimulator returns a simulator that listens on loopback. The caller closes it.
func startSimulator() (*wasim.Server, error) {
	sim, err := wasim.New(wasim.Options{})
	if err != nil {
		return nil, err
	}
	if err := sim.Listen("127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, sim.Close())
	}
	return sim, nil
}
