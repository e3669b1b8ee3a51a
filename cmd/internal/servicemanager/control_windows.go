package servicemanager

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"waoutbox/cmd/internal/windowsservice"
)

// Elevated reports whether this process may install for the system.
func Elevated() bool { return windows.GetCurrentProcessToken().IsElevated() }

func newControl() controlManager { return serviceControl{} }

// serviceControl is Windows' service control manager.
type serviceControl struct{}

// open opens a service, with no more rights than access names: to look at one takes none.
func (serviceControl) open(name string, access uint32, do func(*mgr.Service) error) error {
	m, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return fmt.Errorf("the service control manager: %w", err)
	}
	defer windows.CloseServiceHandle(m)
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	handle, err := windows.OpenService(m, text, access)
	if err != nil {
		return fmt.Errorf("the service %s: %w", name, err)
	}
	s := &mgr.Service{Name: name, Handle: handle}
	defer s.Close()
	return do(s)
}

func (c serviceControl) state(name string) (st controlState, err error) {
	err = c.open(name, windows.SERVICE_QUERY_STATUS|windows.SERVICE_QUERY_CONFIG, func(s *mgr.Service) error {
		now, err := s.Query()
		if err != nil {
			return err
		}
		st = controlState{Installed: true, Running: now.State == svc.Running, Stopped: now.State == svc.Stopped, Exit: now.Win32ExitCode}
		if now.ServiceSpecificExitCode != 0 {
			st.Exit = now.ServiceSpecificExitCode
		}
		config, err := queryConfig(s.Handle)
		if err != nil {
			return err
		}
		st.Enabled = config.StartType == windows.SERVICE_AUTO_START
		words, err := windows.DecomposeCommandLine(windows.UTF16PtrToString(config.BinaryPathName))
		if err != nil || len(words) == 0 {
			return err
		}
		st.Executable = words[0]
		return nil
	})
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return controlState{}, nil
	}
	return st, err
}

// queryConfig reads what a service was installed with. The library of the system's calls asks for
// more, which not every Windows has.
func queryConfig(service windows.Handle) (*windows.QUERY_SERVICE_CONFIG, error) {
	for size := uint32(1024); ; {
		buffer := make([]byte, size)
		config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0]))
		err := windows.QueryServiceConfig(service, config, size, &size)
		if !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) {
			return config, err
		}
	}
}

func (c serviceControl) setProgram(name, executable string, arguments []string) error {
	line := []string{syscall.EscapeArg(executable)}
	for _, argument := range arguments {
		line = append(line, syscall.EscapeArg(argument))
	}
	text, err := windows.UTF16PtrFromString(strings.Join(line, " "))
	if err != nil {
		return err
	}
	return c.open(name, windows.SERVICE_CHANGE_CONFIG, func(s *mgr.Service) error {
		return windows.ChangeServiceConfig(s.Handle, windows.SERVICE_NO_CHANGE, windows.SERVICE_AUTO_START, windows.SERVICE_NO_CHANGE, text, nil, nil, nil, nil, nil, nil)
	})
}

func (c serviceControl) setRecovery(name string) error {
	var actions []mgr.RecoveryAction
	for _, delay := range recovery() {
		actions = append(actions, mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: delay})
	}
	return c.open(name, windows.SERVICE_CHANGE_CONFIG|windows.SERVICE_START, func(s *mgr.Service) error {
		return s.SetRecoveryActions(actions, uint32(recoveryReset.Seconds()))
	})
}

func (serviceControl) closeDir(dir, sid string) error {
	access, err := windows.SecurityDescriptorFromString(windowsservice.DirAccess(sid))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	err = windows.CreateDirectory(name, &windows.SecurityAttributes{Length: uint32(unsafe.Sizeof(windows.SecurityAttributes{})), SecurityDescriptor: access})
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// a link may lead elsewhere tomorrow
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return errors.Join(err, fmt.Errorf("%s is not a directory", dir))
	}
	if err := checkOwner(dir, sid); err != nil { // before it is changed
		return err
	}
	list, _, err := access.DACL()
	if err != nil {
		return err
	}
	err = windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	if err != nil {
		return err
	}
	// what others had put in it while they could
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return checkOwner(path, sid)
	})
}

// checkOwner refuses what belongs to somebody who may not own the state of the service with this
// SID, installed by this user.
func checkOwner(path, sid string) error {
	access, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("whose %s is cannot be told: %w", path, err)
	}
	owner, _, err := access.Owner()
	if err != nil {
		return fmt.Errorf("whose %s is cannot be told: %w", path, err)
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("who runs this cannot be told: %w", err)
	}
	if !windowsservice.MayOwnDir(owner.String(), sid, user.User.Sid.String()) {
		return fmt.Errorf("%s belongs to another user (%s). Move it away, or choose another --state-dir", path, owner)
	}
	return nil
}
