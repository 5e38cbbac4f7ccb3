package image

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Compressed is a layer as a registry has it: with gzip, which every runtime reads.
func Compressed(l v1.Layer) (v1.Layer, error) {
	small, err := tarball.LayerFromOpener(l.Uncompressed, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("compress layer: %w", err)
	}
	return small, nil
}

// plain is a tar file as it is. Compressing it would only cost time where it goes from a disk to the same disk.
type plain struct {
	file   string
	digest v1.Hash
	size   int64
}

// Plain is a layer for this machine: a tar file, not compressed.
func Plain(file string) (v1.Layer, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	digest, size, err := v1.SHA256(f)
	if err != nil {
		return nil, fmt.Errorf("hash layer %q: %w", file, err)
	}
	return partial.CompressedToLayer(&plain{file: file, digest: digest, size: size})
}

func (l *plain) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *plain) DiffID() (v1.Hash, error)            { return l.digest, nil }
func (l *plain) Size() (int64, error)                { return l.size, nil }
func (l *plain) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }
func (l *plain) Compressed() (io.ReadCloser, error)  { return os.Open(l.file) }
