package windowsservice

import (
	"regexp"
	"testing"
)

// Windows' own services have these SIDs.
func TestSID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"TrustedInstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
		"ALG":              "S-1-5-80-2387347252-3645287876-2469496166-3824418187-3586569773",
	} {
		if got := SID(name); got != want || !IsSID(got) {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	if SID("waoutbox") != SID("WAOUTBOX") {
		t.Error("a name in capitals has another SID")
	}
	for _, other := range []string{"S-1-5-18", "S-1-5-21-1-2-3-1013", "S-1-5-32-544"} {
		if IsSID(other) {
			t.Errorf("%s is taken for a service's", other)
		}
	}
}

// One name for a directory however it is written, another one for another directory.
func TestName(t *testing.T) {
	t.Parallel()
	usual := UsualDir(func(name string) string { return map[string]string{"ProgramData": `C:\ProgramData\`}[name] })
	if usual != `C:\ProgramData\waoutbox` {
		t.Fatalf("the usual place is %s", usual)
	}
	for _, same := range []string{usual, `c:/programdata/WAOUTBOX/`, `\\?\C:\ProgramData\waoutbox`} {
		if got := Name(same, usual); got != "waoutbox" {
			t.Errorf("%s has the service %s", same, got)
		}
	}
	other := Name(`D:\wa`, usual)
	if !regexp.MustCompile(`^waoutbox-[0-9a-f]{8}$`).MatchString(other) || other != Name(`d:/WA/`, usual) || other == Name(`D:\wb`, usual) {
		t.Errorf("other directories: %s, %s, %s", other, Name(`d:/WA/`, usual), Name(`D:\wb`, usual))
	}
	if got := Account(other); got != `NT SERVICE\`+other {
		t.Errorf("it runs as %s", got)
	}
	for _, none := range []string{"", "x", `\data`} {
		if dir := UsualDir(func(string) string { return none }); dir != "" {
			t.Errorf("%q: %s", none, dir)
		}
	}
	if Name(usual, "") == "waoutbox" {
		t.Error("the plain name where no place is usual")
	}
}

// The state is nobody's but the system's, administrators' and the service's.
//
// Mutation of names.go: everybody may read the state of a service of Windows.
func TestDirAccess(t *testing.T) {
	t.Parallel()
	const sid = "S-1-5-80-1-2-3-4-5"
	got := DirAccess(sid)
	if !regexp.MustCompile(`^O:BAD:P\(`).MatchString(got) {
		t.Errorf("%s inherits, or belongs to another", got)
	}
	want := map[string]string{"SY": "FA", "BA": "FA", sid: "0x1301bf"} // Windows' "modify"
	rules := regexp.MustCompile(`\(A;OICI;(\w+);;;([^)]+)\)`).FindAllStringSubmatch(got, -1)
	for _, rule := range rules {
		if want[rule[2]] != rule[1] {
			t.Errorf("%s may %s", rule[2], rule[1])
		}
	}
	if len(rules) != len(want) || len(regexp.MustCompile(`\(`).FindAllString(got, -1)) != len(want) {
		t.Errorf("the rules are %s", got)
	}
}

// A directory of somebody else is not made the service's.
//
// Mutation of names.go: a user's directory with a user's files becomes the state of a service.
func TestMayOwnDir(t *testing.T) {
	t.Parallel()
	const service, admin, user = "S-1-5-80-1-2-3-4-5", "S-1-5-21-1-2-3-1000", "S-1-5-21-1-2-3-1001"
	for owner, want := range map[string]bool{
		"S-1-5-18": true, "S-1-5-32-544": true, service: true, admin: true,
		user: false, "S-1-5-80-1-2-3-4-6": false, "S-1-1-0": false, "": false,
	} {
		if got := MayOwnDir(owner, service, admin); got != want {
			t.Errorf("a directory of %q: %v", owner, got)
		}
	}
}
