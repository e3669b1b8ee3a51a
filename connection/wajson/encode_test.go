package wajson_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"waoutbox/connection/wajson"
	"waoutbox/connection/wajson/wajsontest"
)

func TestNumbers(t *testing.T) {
	// The right column is what ECMAScript's Number::toString prints.
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "0"}, {1, "1"}, {-1, "-1"}, {0.1, "0.1"}, {-0.5, "-0.5"}, {1.5, "1.5"},
		{100, "100"}, {123456789012345680000, "123456789012345680000"},
		{1e20, "100000000000000000000"},
		{1e21, "1e+21"}, {-1e21, "-1e+21"}, {1.5e21, "1.5e+21"}, {1e22, "1e+22"}, {1e100, "1e+100"},
		{1e-5, "0.00001"}, {1e-6, "0.000001"}, {-1e-6, "-0.000001"}, {1.5e-6, "0.0000015"},
		{math.Nextafter(1e-6, 0), "9.999999999999997e-7"}, {math.Nextafter(1e21, 0), "999999999999999900000"}, {1e-7, "1e-7"}, {-1.5e-9, "-1.5e-9"}, {1e-10, "1e-10"}, {1.25e-100, "1.25e-100"},
		{5e-324, "5e-324"}, {2.2250738585072014e-308, "2.2250738585072014e-308"}, {math.MaxFloat64, "1.7976931348623157e+308"},
		{1 << 53, "9007199254740992"}, {1<<53 - 1, "9007199254740991"}, {-(1 << 53), "-9007199254740992"},
		{float64(float32(1.4)), "1.399999976158142"}, {float64(float32(0.1)), "0.10000000149011612"}, {float64(float32(1e-45)), "1.401298464324817e-45"},
		{-23.55052, "-23.55052"}, {48.8583701, "48.8583701"}, {12, "12"}, {1.0 / 3, "0.3333333333333333"}, {2.0 / 3, "0.6666666666666666"},
		{4.35, "4.35"}, {0.000001234, "0.000001234"}, {1e23, "1e+23"}, {9007199254740993, "9007199254740992"},
	} {
		if got := string(wajson.AppendFloat(nil, c.f)); got != c.want {
			t.Errorf("AppendFloat(%g) = %s, want %s", c.f, got, c.want)
		}
	}
	for _, n := range []int64{0, -1, 42, wajson.MaxSafeInteger, -wajson.MaxSafeInteger} {
		if a, b := string(wajson.AppendInt(nil, n)), string(wajson.AppendFloat(nil, float64(n))); a != b {
			t.Errorf("AppendInt(%d) = %s, as a double %s", n, a, b)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`},
		{"plain", `"plain"`},
		{`quote " and \ slash /`, `"quote \" and \\ slash /"`},
		{"\b\t\n\f\r", `"\b\t\n\f\r"`},
		{"\x00\x01\x0b\x0e\x1f", `"\u0000\u0001\u000b\u000e\u001f"`},
		{"\x7f", "\"\x7f\""},
		{"<script>&'", `"<script>&'"`},
		{"\u2028\u2029", "\"\u2028\u2029\""},
		{"Grüße 日本 🙂", `"Grüße 日本 🙂"`},
		{"\xff", "\"\uFFFD\""},
		{"a\xc3", "\"a\uFFFD\""},
		{"a\xc3b", "\"a\uFFFDb\""},
		{"\xed\xa0\x80", "\"\uFFFD\uFFFD\uFFFD\""}, // a lone surrogate, encoded
		{"\xf0\x9f\x99", "\"\uFFFD\""},             // a cut emoji
		{"a\xf0\x9f\x99b", "\"a\uFFFDb\""},
		{"\xe2\x82\xe2\x82\xac", "\"\uFFFD€\""},              // a cut character, then a whole one
		{"\xf0\x8f\x99", "\"\uFFFD\uFFFD\uFFFD\""},           // no character begins so
		{"\xf4\x90\x80\x80", "\"\uFFFD\uFFFD\uFFFD\uFFFD\""}, // beyond U+10FFFF
		{"\xe0\x80\x80", "\"\uFFFD\uFFFD\uFFFD\""},           // overlong
		{"\xf1\x80\x80\xff", "\"\uFFFD\uFFFD\""},
		{"\xdf", "\"\uFFFD\""},
		{"\xc0\xaf", "\"\uFFFD\uFFFD\""}, // overlong
		{"\uFFFD", "\"\uFFFD\""},
		{"\ufeffbom", "\"\ufeffbom\""},
		{"x\xffy\nz", "\"x\uFFFDy\\nz\""},
	} {
		if got := string(wajson.AppendString(nil, c.in)); got != c.want {
			t.Errorf("AppendString(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestProgrammingErrorsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"NaN":         func() { wajson.AppendFloat(nil, math.NaN()) },
		"infinity":    func() { wajson.AppendFloat(nil, math.Inf(-1)) },
		"2^53":        func() { wajson.AppendInt(nil, 1<<53) },
		"-2^53":       func() { wajson.AppendInt(nil, -(1 << 53)) },
		"index 0":     func() { new(wajson.Object).Null("0") },
		"index 42":    func() { new(wajson.Object).Null("42") },
		"last index":  func() { new(wajson.Object).Null("4294967294") },
		"__proto__":   func() { new(wajson.Object).Null("__proto__") },
		"a key twice": func() { new(wajson.Object).Null("a").Null("a") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
	// These look like indices and are none: they keep their place.
	o := new(wajson.Object).Null("b").Null("4294967295").Null("00").Null("-1").Null("1.5").Null("").Null("1e3").Null("99999999999")
	wajsontest.Node(t, [][]byte{o.JSON()})
}

func TestBuildersGiveIndependentValues(t *testing.T) {
	o := new(wajson.Object)
	empty := o.JSON()
	one := o.Int("a", 1).JSON()
	two := o.Bool("b", true).JSON()
	a := new(wajson.Array)
	none := a.JSON()
	first := a.Obj(o).JSON()
	a.Float(1.5).Null().Int(-3).Bool(false).Arr(wajson.Strings("x"))
	for _, c := range []struct {
		got  wajson.JSON
		want string
	}{
		{empty, `{}`}, {one, `{"a":1}`}, {two, `{"a":1,"b":true}`}, {none, `[]`}, {first, `[{"a":1,"b":true}]`},
		{a.JSON(), `[{"a":1,"b":true},1.5,null,-3,false,["x"]]`},
		{new(wajson.Object).OptStr("no", "").OptStr("yes", "y").Float("f", 1e21).Arr("l", wajson.Objects(o)).Null("n").JSON(), `{"yes":"y","f":1e+21,"l":[{"a":1,"b":true}],"n":null}`},
	} {
		if string(c.got) != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// goldens reads every golden body.
func goldens(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../translate/testdata/events/*.json")
	if err != nil || len(files) < 65 {
		t.Fatalf("%d golden bodies (%v), want the 65 of the six events at least", len(files), err)
	}
	bodies := make(map[string][]byte, len(files))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		bodies[filepath.Base(f)] = b
	}
	return bodies
}

func TestGoldenBodiesRoundTrip(t *testing.T) {
	var docs [][]byte
	for name, b := range goldens(t) {
		if err := wajsontest.Canonical(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		docs = append(docs, b)
	}
	wajsontest.Node(t, docs)
}

func TestCheckerSeesWhatIsNotCanonical(t *testing.T) {
	for _, b := range []string{`{ }`, `"\u003c"`, `"\/"`, `1.0`, `1e5`, `-0`, `"\u001F"`, "[1]\n", `{"1":0}`, `{"a":1,"a":1}`, `9007199254740993`} {
		if wajsontest.Canonical([]byte(b)) == nil {
			t.Errorf("%s passed as canonical", b)
		}
	}
}

func TestRandomValuesAgainstNode(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	docs := make([][]byte, 0, 3000)
	for range 3000 {
		o := new(wajson.Object).Str("s", wajsontest.String(rnd)).Float("f", wajsontest.Float(rnd)).Int("i", int64(rnd.Uint64())>>11)
		o.Arr("a", new(wajson.Array).Float(wajsontest.Float(rnd)).Str(wajsontest.String(rnd)))
		// prefixed: never an index, never one of the keys above
		o.Str("k"+wajsontest.String(rnd), "")
		if err := wajsontest.Canonical(o.JSON()); err != nil {
			t.Fatal(err)
		}
		docs = append(docs, o.JSON())
	}
	wajsontest.Node(t, docs)
}

func FuzzEncode(f *testing.F) {
	f.Add("text \u2028 <&> \xff\x00", 1e21, int64(-5))
	f.Add("\xed\xa0\x80", 5e-324, int64(1<<53-1))
	f.Fuzz(func(t *testing.T, s string, n float64, i int64) {
		o := new(wajson.Object).Str("s", s).Int("i", i%(wajson.MaxSafeInteger+1))
		if !math.IsNaN(n) && !math.IsInf(n, 0) {
			o.Float("n", n)
		}
		if err := wajsontest.Canonical(o.JSON()); err != nil {
			t.Error(err)
		}
	})
}
