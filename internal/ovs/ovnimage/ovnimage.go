// Package ovnimage takes the product's OVN out of its image, for tests and
// measurements: zones need a newer one than Debian 12's, which binds no remote ports
// (OVN 23.09 is the first).
package ovnimage

import (
	"encoding/json"
	"fmt"
	"os/exec"
)

// Unpack puts the files of an image, as `docker save` or `bin/lab images` write it,
// into a folder that is there.
func Unpack(image, folder string) error {
	text, err := exec.Command("tar", "-xOf", image, "manifest.json").Output()
	if err != nil {
		return fmt.Errorf("read manifest of image %q: %w", image, err)
	}
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("read manifest of image %q: %w", image, err)
	}
	if len(manifest) != 1 {
		return fmt.Errorf("read manifest of image %q: it names %d images, want one", image, len(manifest))
	}
	for _, layer := range manifest[0].Layers {
		unpack := `tar -xOf "$1" "$2" | tar -xC "$3"`
		if out, err := exec.Command("bash", "-o", "pipefail", "-c", unpack, "unpack", image, layer, folder).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack layer %q of image %q: %w: %s", layer, image, err, out)
		}
	}
	return nil
}
