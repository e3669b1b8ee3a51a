package servicemanager

import (
	"fmt"

	"github.com/kardianos/service"
)

// The service managers as the library calls them.
const (
	librarySystemd = "linux-systemd"
	libraryLaunchd = "darwin-launchd"
	libraryWindows = "windows-service"
)

// registrar is what is used of the library: it writes what a manager reads, registers it there, and
// starts and stops it. Install refuses what is installed, Uninstall stops nothing. They block as
// long as the manager does.
type registrar interface {
	Install() error
	Uninstall() error
	Start() error
	Stop() error
	Restart() error
}

// definition is what one manager is told of a service.
type definition struct {
	system string // one of the above
	name   string // without an ending
	user   bool   // a service of the user, not of the system
	// systemd and launchd: the file, whole
	text string
	// Windows: what follows the program, and whom it runs as
	arguments []string
	account   string
}

// asItIs is a template of the library for a text that is whole: nothing in it is expanded.
const asItIs = "{{range Arguments}}{{.}}{{end}}"

// library returns what registers a service with the manager of this system. The library would take
// the first manager that it finds, on a system without systemd another one.
func library(executable string, d definition) (registrar, error) {
	config := &service.Config{
		Name: d.name, DisplayName: d.name, Description: description, Executable: executable, Arguments: d.arguments, UserName: d.account,
		Option: service.KeyValue{"UserService": d.user, "SystemdScript": asItIs, "LaunchdConfig": asItIs},
	}
	if d.text != "" {
		config.Arguments = []string{d.text}
	}
	for _, system := range service.AvailableSystems() {
		if system.String() == d.system {
			return system.New(nil, config) // it runs nothing here
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnsupported, d.system)
}

// registrar returns what registers d; a test has its own.
func (s Service) registrar(d definition) (registrar, error) {
	if s.register != nil {
		return s.register(d)
	}
	return library(s.Executable, d)
}

// with calls do with what registers d.
func (s Service) with(d definition, do func(registrar) error) error {
	r, err := s.registrar(d)
	if err != nil {
		return err
	}
	return do(r)
}
