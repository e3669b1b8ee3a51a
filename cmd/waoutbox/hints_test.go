package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/config"
)

// prose are the words that follow the program's name in sentences of the code. Whatever else
// follows it is a command, and has to exist.
var prose = strings.Fields("against already and cannot command could did does has is itself links on or runs use uses was")

// TestHintsNameWhatExists checks every command line that the code or a document tells somebody to
// run: the command, its flags and the settings it names are there. Before it, a tool told the user
// to run `waoutbox unpair`, which did not exist.
func TestHintsNameWhatExists(t *testing.T) {
	root := hintsRoot()
	found := 0
	for _, text := range slices.Concat(codeTexts(t, "../.."), documentTexts(t, "../..")) {
		for _, line := range commandLines(text.value) {
			if slices.Contains(prose, firstWord(line)) {
				continue
			}
			found++
			if fault := commandFault(root, line); fault != "" {
				t.Errorf("%s: %q: %s", text.at, "waoutbox "+line, fault)
			}
		}
	}
	t.Logf("%d command lines", found)
	if found < 80 {
		t.Errorf("only %d command lines were found: they are no longer seen", found)
	}
}

// TestFlagsAndToolsInTextsExist checks what a text names without its command: a flag is one of some
// command, and a tool one that agents have.
func TestFlagsAndToolsInTextsExist(t *testing.T) {
	flags := knownFlags(hintsRoot())
	schemas, err := filepath.Glob("../../mcptools/testdata/schema/*.json")
	if err != nil || len(schemas) == 0 {
		t.Fatalf("the tools' schemas: %d, %v", len(schemas), err)
	}
	tools := map[string]bool{}
	for _, path := range schemas {
		tools[strings.TrimSuffix(filepath.Base(path), ".json")] = true
	}
	flags["data-binary"] = true // curl's
	flags["scope"] = true       // claude's
	flags["decrypt"] = true     // age's
	for _, name := range []string{"user", "now", "property", "value"} {
		flags[name] = true // systemctl's and loginctl's
	}
	// the release's calls lintian and dpkg
	otherPrograms := regexp.MustCompile(`/(cmd/wasim|cmd/wabench|\.ci/release)/`)
	named := map[string]int{}
	for _, text := range codeTexts(t, "../..") {
		if otherPrograms.MatchString(filepath.ToSlash(text.at)) {
			continue
		}
		for _, m := range flagName.FindAllStringSubmatch(text.value, -1) {
			if named["flag"]++; !flags[m[1]] {
				t.Errorf("%s: %q: no command has the flag --%s", text.at, text.value, m[1])
			}
		}
		for _, name := range toolName.FindAllString(text.value, -1) {
			if named["tool"]++; !tools[name] {
				t.Errorf("%s: %q: there is no tool %s", text.at, text.value, name)
			}
		}
	}
	if named["flag"] < 50 || named["tool"] < 30 {
		t.Errorf("only %v were found: they are no longer seen", named)
	}
}

// knownFlags are the flags of all commands below root.
func knownFlags(root *cobra.Command) map[string]bool {
	flags := map[string]bool{"help": true}
	note := func(f *pflag.Flag) { flags[f.Name] = true }
	for cmds := []*cobra.Command{root}; len(cmds) > 0; cmds = cmds[1:] {
		cmds[0].Flags().VisitAll(note)
		cmds[0].PersistentFlags().VisitAll(note)
		cmds = append(cmds, cmds[0].Commands()...)
	}
	return flags
}

var (
	flagName = regexp.MustCompile(`(?:^|[\s(` + "`" + `'"])--([a-z][a-z-]*[a-z])\b`)
	toolName = regexp.MustCompile(`\bwhatsapp_[a-z_]*[a-z]`)
)

// TestCommandFault shows that the check can fail.
func TestCommandFault(t *testing.T) {
	root := hintsRoot()
	for line, ok := range map[string]bool{
		"pair":                                     true,
		"unlink":                                   false,
		"--state-dir %s status":                    true,
		"--state-dirs %s status":                   false,
		"webhook add %s --generate-secret":         true,
		"webhook add %s --make-secret":             false,
		"webhook ad URL":                           false,
		"deadletter --url %s":                      true,
		"deadletter replay%s":                      true,
		"config set max-in-flight 64":              true,
		"config set max-flight 64":                 false,
		"config set KEY VALUE":                     true,
		"config set keeps them.":                   true,
		"start, then scan with --nothing":          true, // the command ends at the comma
		"deadletter replay --url %s (%s --nothing": true,
		"send text %s --help":                      true,
	} {
		if fault := commandFault(root, line); (fault == "") != ok {
			t.Errorf("%q: fault %q, want ok = %v", line, fault, ok)
		}
	}
	lines := commandLines("a `waoutbox stop`; run waoutbox status\nwaoutbox/outbox is ~/.waoutbox or cmd/waoutbox: waoutbox start && waoutbox pair\n")
	if want := []string{"stop", "status", "start", "pair"}; !slices.Equal(lines, want) {
		t.Errorf("command lines %q, want %q", lines, want)
	}
}

// hintsRoot is the command tree as it is without arguments, environment or terminal.
func hintsRoot() *cobra.Command {
	return newRootCmd(newEnv(nil, func(string) string { return "" }, strings.NewReader(""), io.Discard, io.Discard))
}

// codeText is a text of the code and where it stands.
type codeText struct{ at, value string }

// codeTexts are the string literals of every Go file below dir that is no test. Literals that are
// added up are one text, with %s for what is not literal; the arguments of a call to command or
// Command are the rest of a command line.
func codeTexts(t *testing.T, dir string) (texts []codeText) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		used := map[ast.Node]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.CallExpr:
				if words := commandArguments(n, used); words != "" {
					texts = append(texts, codeText{fset.Position(n.Pos()).String(), "waoutbox " + words})
				}
			case ast.Expr:
				if text, ok := literal(n, used); ok {
					texts = append(texts, codeText{fset.Position(n.Pos()).String(), text})
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// documentTexts are the command lines in the code spans and code blocks of README.md and docs; what
// docs/adr records need not exist any more.
func documentTexts(t *testing.T, dir string) (texts []codeText) {
	t.Helper()
	paths, err := filepath.Glob(dir + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, dir+"/README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, m := range documentCommand.FindAllStringSubmatch(line, -1) {
				texts = append(texts, codeText{fmt.Sprintf("%s:%d", path, i+1), m[1]})
			}
		}
	}
	return texts
}

var documentCommand = regexp.MustCompile("(?:`|^(?:\\$ *)?)(waoutbox [^`]*)")

// commandArguments returns the literal arguments of a call that makes a command line, "" of any
// other.
func commandArguments(call *ast.CallExpr, used map[ast.Node]bool) string {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && x.Name == "exec" {
			return ""
		}
		name = f.Sel.Name
	}
	if name != "command" && name != "Command" {
		return ""
	}
	var words []string
	for _, arg := range call.Args {
		if text, ok := literal(arg, used); ok {
			words = append(words, text)
		}
	}
	return strings.Join(words, " ")
}

// literal returns the text of a string literal or of a sum with one in it, each only once.
func literal(e ast.Expr, used map[ast.Node]bool) (text string, ok bool) {
	if used[e] {
		return "", false
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		used[e] = true
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		used[e] = true
		for _, part := range []ast.Expr{e.X, e.Y} {
			s, isText := literal(part, used)
			if !isText {
				s = "%s"
			}
			text, ok = text+s, ok || isText
		}
	}
	return text, ok
}

var programName = regexp.MustCompile(`(?:^|[^\w/.~-])waoutbox[ \t]+`)

// commandLines returns what follows the program's name in a text, up to the end of the line, the
// code span or the command.
func commandLines(text string) (lines []string) {
	names := programName.FindAllStringIndex(text, -1)
	for i, at := range names {
		end := len(text)
		if i+1 < len(names) {
			end = names[i+1][0]
		}
		line := text[at[1]:end]
		if stop := strings.IndexAny(line, "\n`"); stop >= 0 {
			line = line[:stop]
		}
		if line, _, _ = strings.Cut(line, "&&"); strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

var word = regexp.MustCompile(`^[a-z][a-z-]*$`)

func firstWord(line string) string {
	return strings.TrimRight(strings.Fields(line + " ?")[0], ".,;:)")
}

// commandFault returns what a command line names that does not exist, "" if all of it does.
func commandFault(root *cobra.Command, line string) string {
	cmd, positional := root, false
	words := strings.Fields(line)
	for i := 0; i < len(words); i++ {
		full, _, _ := strings.Cut(words[i], "%") // replay%s
		name := strings.TrimRight(full, `.,;:)"'`)
		switch {
		case strings.HasPrefix(name, "("):
			return ""
		case strings.HasPrefix(name, "--"):
			cmd.InitDefaultHelpFlag()
			name, _, hasValue := strings.Cut(name[2:], "=")
			flag := cmd.Flag(name)
			if flag == nil {
				return fmt.Sprintf("%s has no flag --%s", cmd.CommandPath(), name)
			}
			if flag.NoOptDefVal == "" && !hasValue {
				i++
			}
		case !word.MatchString(name):
			positional = true
		case !positional && subcommand(cmd, name) != nil:
			cmd = subcommand(cmd, name)
		case !positional && cmd.HasSubCommands():
			return fmt.Sprintf("%s has no command %s", cmd.CommandPath(), name)
		case !positional && strings.Contains(name, "-") && cmd.Parent() != nil && cmd.Parent().Name() == "config" && cmd.Name() != "list":
			if !slices.ContainsFunc(config.Keys(), func(s config.Setting) bool { return s.Key == name }) {
				return "no setting " + name
			}
			positional = true
		default:
			positional = true
		}
		if name != full { // the command ends with the sentence's part
			return ""
		}
	}
	return ""
}

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
