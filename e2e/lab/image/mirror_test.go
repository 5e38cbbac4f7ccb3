package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindMirror(t *testing.T) {
	cases := map[string]struct {
		reason string
		source string
		want   string
	}{
		"Stanza": {
			reason: "the format of today's Debian",
			source: "Types: deb deb-src\n# a comment: here\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n",
			want:   "http://mirror.test/debian",
		},
		"SecondStanza": {
			reason: "security updates are no whole Debian",
			source: "Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\n\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n",
			want:   "http://mirror.test/debian",
		},
		"DisabledStanza": {
			reason: "apt does not use it, so we do not",
			source: "Enabled: no\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n",
		},
		"SourcesOnly": {
			reason: "no binary packages are there",
			source: "Types: deb-src\nURIs: http://mirror.test/debian\nSuites: bookworm\n",
		},
		"Line": {
			reason: "the older format",
			source: "# deb http://old.test/debian bookworm main\ndeb http://mirror.test/debian bookworm main\n",
			want:   "http://mirror.test/debian",
		},
		"LineWithOptions": {
			reason: "options stand between the type and the URI",
			source: "deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://mirror.test/debian bookworm main\n",
			want:   "http://mirror.test/debian",
		},
		"ForeignLine": {
			reason: "another project's packages for the same machine",
			source: "deb https://packages.test/tool stable main\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := findMirror(tc.source, "bookworm"); got != tc.want {
				t.Errorf("findMirror = %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestParseRelease(t *testing.T) {
	got := parseRelease("NAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=bookworm\nID=debian\n\n")
	want := map[string]string{"NAME": "Debian GNU/Linux", "VERSION_CODENAME": "bookworm", "ID": "debian"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parseRelease (-want +got):\n%s", diff)
	}
}

func TestReadPackages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "packages")
	if err := os.WriteFile(file, []byte("# tools\nprocps # ps\n\nbash\nprocps\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPackages(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bash", "procps"}, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestChooseMirrors(t *testing.T) {
	debian := "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n"
	security := "Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\n"
	cases := map[string]struct {
		sources []string
		want    []string
	}{
		"Both":         {[]string{security, debian}, []string{"deb http://mirror.test/debian trixie main", "deb http://mirror.test/security trixie-security main"}},
		"NoSecurity":   {[]string{debian}, []string{"deb http://mirror.test/debian trixie main"}},
		"OnlySecurity": {[]string{security}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, chooseMirrors(tc.sources, "bookworm", "trixie")); diff != "" {
				t.Errorf("mirrors (-want +got):\n%s", diff)
			}
		})
	}
}
