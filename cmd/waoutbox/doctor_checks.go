package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/httpserver"
	"waoutbox/cmd/internal/term"
	"waoutbox/connection/wire"
	"waoutbox/outbox/api"
	"waoutbox/store"
	"waoutbox/store/device"
)

const (
	// checkLimit bounds reading a large outbox from end to end.
	checkLimit = time.Hour
	// oldProgram is the age of the WhatsApp library at which WhatsApp may soon refuse it.
	oldProgram = 120 * 24 * time.Hour
)

// examining is one run of `doctor`.
type examining struct {
	e       *env
	network bool
	found   []doctorFinding
}

func (d *examining) add(check, status, message, mend string) {
	d.found = append(d.found, doctorFinding{check, status, d.e.say(message), d.e.say(mend)})
}

// fault is a problem whose sentence says how to mend it.
func (d *examining) fault(check string, err error) {
	message, mend := parted(err.Error())
	d.add(check, findingProblem, message, mend)
}

// parted takes the advice from the end of a sentence: what follows one of the marks of package
// explain, else the sentences from the first on that names a command.
func parted(text string) (message, mend string) {
	for _, mark := range []string{". Restore a backup: ", ". Put ", ". Set it aside: ", ". Begin one ", ". Mount ", ". Make ", ". Run ", ". Talk ", ". Choose ", ": run: ", ": name ", ": use ", "; put ", "; close "} {
		if at := strings.Index(text, mark); at > 0 {
			return text[:at], strings.TrimLeft(text[at:], ".:; ")
		}
	}
	if command := strings.Index(text, "waoutbox "); command > 0 {
		if at := strings.LastIndex(text[:command], ". "); at > 0 {
			return text[:at], text[at+2:]
		}
	}
	return text, ""
}

func (d *examining) all(ctx context.Context) {
	d.version(buildVersion(), time.Now())
	if !d.directory() {
		return
	}
	cfg, ok := d.settings()
	if !ok {
		return
	}
	running := d.service(ctx, cfg)
	svc, examination, err := d.examine(ctx, cfg, running)
	if err != nil {
		d.fault("outbox", err)
		if !running {
			d.startLater()
		}
		d.space(api.Examination{MinFree: uint64(cfg.MinFreeBytes)})
		d.add("whatsapp", findingSkipped, "the outbox must be mended first", "")
		d.deviceStore(ctx, running)
		return
	}
	d.outbox(examination)
	if d.deviceStore(ctx, running) {
		d.link(svc)
	}
	d.space(examination)
	clockTold := d.clock(examination)
	d.reached(examination)
	d.deliveries(svc)
	for _, a := range svc.Alarms {
		if a.Code == "clock_wrong" && clockTold {
			continue
		}
		message, mend := parted(a.Message)
		d.add("alarm", findingProblem, a.Code+": "+message, mend)
	}
	if len(svc.Alarms) == 0 {
		d.add("alarm", findingOK, "none is up", "")
	}
}

// deviceStore looks at whatsapp.db, which a service that runs has open.
func (d *examining) deviceStore(ctx context.Context, running bool) (fit bool) {
	if running {
		return true
	}
	err := device.Check(ctx, filepath.Join(d.e.stateDir, store.WhatsAppFile))
	if err != nil {
		d.fault("link", err)
	}
	return err == nil
}

// link tells how the link stands, unless an alarm does.
func (d *examining) link(st api.Status) {
	l := st.Link
	for _, a := range st.Alarms {
		if strings.HasPrefix(a.Code, "link_") || slices.Contains([]string{"not_linked", "logged_out", "login_refused", "account_banned", "client_outdated"}, a.Code) {
			return
		}
	}
	who, reason := person(l.Account, l.Name), term.Clean(l.Reason)
	if reason != "" {
		reason = ": " + reason
	}
	switch {
	case l.Account == "" && l.State != api.LinkUnknown:
		d.add("link", findingWarning, "no account is linked"+reason, d.e.command("pair"))
	case l.State == api.LinkConnected, l.State == api.LinkUnknown: // the service is another finding
		d.add("link", findingOK, strings.TrimPrefix(who+", ", ", ")+map[bool]string{true: "connected", false: "not connected while no service runs"}[l.State == api.LinkConnected], "")
	default:
		d.add("link", findingWarning, who+", "+term.Clean(string(l.State))+reason, "")
	}
}

// deliveries tells of what fails and is no alarm, or not yet.
func (d *examining) deliveries(st api.Status) {
	alarmed := map[string]bool{}
	for _, a := range st.Alarms {
		alarmed[a.Webhook] = true
	}
	for _, w := range st.Webhooks {
		if a := lastFailed(w); a != nil && !alarmed[w.ID] {
			d.add("webhook", findingWarning, fmt.Sprintf("the last request of %s failed %s ago: %s; %s", w.ID, since(a.At), attemptText(*a), term.Plural(w.Pending, "event waits", "events wait")),
				d.e.command("webhook test %s", w.ID))
		}
	}
	if st.Dead > 0 {
		d.add("dead", findingWarning, term.Plural(st.Dead, "dead letter is", "dead letters are")+" kept, to be replayed or purged", d.e.command("deadletter"))
	}
}

func (d *examining) version(v versionInfo, now time.Time) {
	name := "waoutbox " + v.Version
	if v.LibraryTime.IsZero() {
		d.add("version", findingOK, name+", "+v.Go+"; how old it is is not known", "")
		return
	}
	age := now.Sub(v.LibraryTime)
	text := fmt.Sprintf("%s, with a WhatsApp library that is %s old", name, term.Age(age))
	if age > oldProgram {
		d.add("version", findingWarning, text+": WhatsApp refuses clients that are too old", "install a newer version, then: "+d.e.command("restart"))
		return
	}
	d.add("version", findingOK, text, "")
}

// directory looks at who may read and write the state.
func (d *examining) directory() bool {
	dir := d.e.stateDir
	err := d.e.checkStateDir()
	if err == nil {
		_, err = os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			d.add("directory", findingProblem, "there is no state at "+d.e.home(dir), d.e.command("start")+", or name the right one with --state-dir")
			return false
		}
	}
	if err != nil {
		d.fault("directory", err)
		return false
	}
	if probe, err := os.CreateTemp(dir, ".doctor-*"); err != nil {
		d.add("directory", findingProblem, fmt.Sprintf("nothing can be written to %s: %s", d.e.home(dir), store.Reason(err)), writeAdvice(dir, err))
	} else {
		_ = probe.Close()
		_ = os.Remove(probe.Name())
		d.add("directory", findingOK, d.e.home(dir)+" can be written", "")
	}
	loose, err := looseFiles(dir)
	switch {
	case err != nil:
		d.add("access", findingProblem, "the modes of the files cannot be read: "+store.Reason(err), "")
	case len(loose) > 0:
		d.add("access", findingWarning, "others can read "+strings.Join(loose, ", "), "chmod -R go= "+term.Quote(dir))
	default:
		d.add("access", findingOK, "nobody else can read it", "")
	}
	return true
}

func writeAdvice(dir string, err error) string {
	switch {
	case store.DiskFull(err):
		return "make space on this disk"
	case errors.Is(err, fs.ErrPermission) && runtime.GOOS != "windows":
		return "chmod u+rwx " + term.Quote(dir) + ", or run it as the user that owns the directory"
	case errors.Is(err, fs.ErrPermission):
		return "run it as the user that owns the directory"
	}
	return "mount it writable, or name another place with --state-dir"
}

// looseFiles lists what others may read. On Windows modes say nothing.
func looseFiles(dir string) (loose []string, err error) {
	if runtime.GOOS == "windows" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	for _, entry := range append(entries, nil) {
		path := dir
		if entry != nil {
			path = filepath.Join(dir, entry.Name())
		}
		info, ierr := os.Lstat(path)
		if ierr != nil || info.Mode()&fs.ModeSymlink != 0 {
			continue // gone meanwhile
		}
		if info.Mode().Perm()&0o077 != 0 {
			loose = append(loose, filepath.Base(path))
		}
	}
	return loose, err
}

func (d *examining) settings() (config.Config, bool) {
	cfg, err := d.e.config()
	if err == nil {
		if mend, unfit := unfitListener(cfg, config.KeyHTTP); unfit != nil {
			d.add("settings", findingProblem, unfit.Error(), mend)
			return cfg, true
		}
		d.add("settings", findingOK, store.ConfigFile+" and the environment are in order", "")
		return cfg, true
	}
	d.fault("settings", err)
	return cfg, false
}

// service looks at the lock and the socket, and at what a service that does not run would need.
func (d *examining) service(ctx context.Context, cfg config.Config) (running bool) {
	c := control.NewClient(d.e.stateDir, agent())
	defer c.Close()
	info, err := c.Daemon(ctx)
	owner, owned, lockErr := store.ReadOwner(d.e.stateDir)
	switch {
	case err == nil && info.Version != version:
		d.add("service", findingWarning, fmt.Sprintf("runs (pid %d) as version %s, and this program is %s", info.PID, info.Version, version), d.e.command("restart"))
	case err == nil:
		d.add("service", findingOK, fmt.Sprintf("runs (pid %d, up for %s) and responds on its socket", info.PID, since(info.StartedAt)), "")
	case lockErr != nil:
		d.add("service", findingProblem, lockErr.Error(), "")
	case owned:
		d.add("service", findingProblem, fmt.Sprintf("process %d (version %s) owns the state and does not answer", owner.PID, owner.Version),
			fmt.Sprintf("try again; if it stays so, end process %d, then: %s", owner.PID, d.e.command("start")))
	default:
		d.add("service", findingWarning, "is not running: no events arrive", d.e.command("start"))
		d.listener(cfg)
	}
	return err == nil
}

// listener looks whether a service that does not run could take the address of its HTTP listener.
// What is wrong with the settings themselves was told already.
func (d *examining) listener(cfg config.Config) {
	if cfg.HTTP == "" || checkListener(cfg) != nil {
		return
	}
	settings := listenerSettings(cfg)
	settings.Log = slog.New(slog.DiscardHandler)
	l, err := httpserver.Listen(settings)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		d.fault("http", err)
		return
	}
	d.add("http", findingOK, cfg.HTTP+" can be listened on", "")
}

// startLater says that a service which does not run cannot be started yet.
func (d *examining) startLater() {
	for i, f := range d.found {
		if f.Check == "service" && f.Status == findingWarning {
			d.found[i].Mend = "mend the outbox first, then: " + f.Mend
		}
	}
}

// examine looks inside, in the service or here.
func (d *examining) examine(ctx context.Context, cfg config.Config, running bool) (st api.Status, x api.Examination, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	in := api.Examine{Network: d.network}
	if running {
		b, err := d.e.connect(ctx, modeDaemon)
		if err != nil {
			return st, x, err
		}
		defer b.close() //nolint:errcheck // there is nothing in it that could be lost
		if x, err = b.daemon.Examine(ctx, in); err == nil {
			st, err = b.Status(ctx)
		}
		return st, x, err
	}
	if err := store.CheckOutbox(d.e.stateDir); err != nil {
		return st, x, err
	}
	a, err := openApp(ctx, d.e.stateDir, cfg, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return st, x, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	server, err := wire.CheckServer(cfg.WhatsAppURL, cfg.WhatsAppRootKey)
	if err != nil {
		return st, x, err
	}
	proxy, err := a.proxy(d.e.configPath(), cfg)
	if err != nil {
		return st, x, err
	}
	if x, err = a.examiner(cfg, wire.Route{Server: server, Proxy: proxy})(ctx, in); err == nil {
		st, err = a.service(nil, nil, mediaParts{}).Status(ctx)
	}
	return st, x, err
}

func (d *examining) outbox(x api.Examination) {
	switch {
	case x.Damage != "":
		d.add("outbox", findingProblem, x.Damage, d.e.command("restore FILE")+", or without a backup: "+d.e.command("stop")+", then "+d.e.command("doctor --quarantine"))
	case x.Closed != "": // its file is as it was
		d.add("outbox", findingProblem, x.Closed, "mend its disk, for example mount it writable: the service goes on by itself, and nothing is lost")
	case x.Damaged > 0:
		d.add("outbox", findingProblem, fmt.Sprintf("%s of %s cannot be decoded: what was owed of them is dead-lettered with the reason corrupt", term.Count(x.Damaged), term.Plural(x.Records, "record", "records")),
			"nothing else is lost; look at the disk (smartctl, dmesg), and keep a backup")
	default:
		d.add("outbox", findingOK, term.Plural(x.Records, "record", "records")+" read, all of them whole", "")
	}
}

func (d *examining) space(x api.Examination) {
	free := x.FreeBytes
	if free == 0 {
		var err error
		if free, err = store.FreeBytes(d.e.stateDir); err != nil {
			return
		}
	}
	text := term.Bytes(int64(min(free, 1<<62))) + " free on the disk"
	if x.MaxBytes > 0 {
		text += fmt.Sprintf(", the outbox holds %s of %s", term.Bytes(x.Bytes), term.Bytes(x.MaxBytes))
	}
	mend := "make space, or lower what must stay free: " + d.e.command("config set min-free-bytes 64MiB")
	switch {
	case free < x.MinFree:
		d.add("space", findingProblem, fmt.Sprintf("%s, and no event is taken below %s (min-free-bytes)", text, term.Bytes(int64(x.MinFree))), mend)
	case free < 2*x.MinFree:
		d.add("space", findingWarning, fmt.Sprintf("%s; no event is taken below %s", text, term.Bytes(int64(x.MinFree))), mend)
	case x.MaxBytes > 0 && x.Bytes > x.MaxBytes/10*9:
		d.add("space", findingWarning, text, "allow more and restart the service: "+d.e.command("config set max-size 20GiB"))
	default:
		d.add("space", findingOK, text, "")
	}
}

// clock looks at the clock, and reports whether it told of a fault.
func (d *examining) clock(x api.Examination) (told bool) {
	var ahead *time.Duration
	if x.WhatsApp != nil && x.WhatsApp.ClockAheadMs != nil {
		ahead = new(time.Duration(*x.WhatsApp.ClockAheadMs) * time.Millisecond)
	}
	fault := clockFault(time.Duration(x.NewestEventAheadMs)*time.Millisecond, ahead)
	switch {
	case fault != "":
		d.add("clock", findingProblem, fault, "set it: "+setClock())
	case ahead == nil:
		d.add("clock", findingOK, "is not behind the newest event; there is no other to compare it with", "")
	default:
		d.add("clock", findingOK, "is that of WhatsApp", "")
	}
	return fault != ""
}

func (d *examining) reached(x api.Examination) {
	if w := x.WhatsApp; w == nil {
		d.add("whatsapp", findingSkipped, "not called (--offline)", "")
	} else if w.Error != "" {
		d.add("whatsapp", findingProblem, w.Where+" cannot be reached: "+w.Error, "look at the network and at "+d.e.command("config get %s", config.KeyWhatsAppProxy))
	} else {
		d.add("whatsapp", findingOK, fmt.Sprintf("%s can be reached, %s", w.Where, term.Millis(w.Ms)), "")
	}
	for _, w := range x.Webhooks {
		switch {
		case w.Error != "":
			d.add("webhook", findingProblem, fmt.Sprintf("%s %s: %s", w.ID, w.Where, w.Error), d.e.command("webhook test %s", w.ID))
		default:
			d.add("webhook", findingOK, fmt.Sprintf("%s %s can be reached, %s", w.ID, w.Where, term.Millis(w.Ms)), "")
		}
	}
}
