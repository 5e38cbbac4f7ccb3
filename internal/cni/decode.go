package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/utils"
)

// maxRequest is the size of the largest request that is read, in bytes. The
// largest thing in one is GC's list of the node's attachments.
const maxRequest = 1 << 20

// Call is a Request that was checked and read.
type Call struct {
	Command   Command
	Container string
	// Netns is an absolute path. DEL may come without.
	Netns  string
	IfName string
	// Pod is from CNI_ARGS; only ADD and CHECK can rely on it.
	Pod    Pod
	Config Config
}

// Pod is the pod that a sandbox belongs to.
type Pod struct {
	Namespace, Name, UID string
}

// Config is what we read of the network configuration.
type Config struct {
	CNIVersion string `json:"cniVersion"`
	// Name of the network configuration.
	Name string `json:"name"`
	// Network is the L2Network whose interface CNI_IFNAME is to be wired. None:
	// all that the pod asks for by our annotations.
	Network *Network `json:"network,omitempty"`
	// ValidAttachments are all that still exist; only GC has them.
	ValidAttachments []types.GCAttachment `json:"cni.dev/valid-attachments,omitempty"`
}

// Network names an L2Network.
type Network struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Decode reads one Request and checks all that its command needs.
func Decode(r io.Reader) (*Call, error) {
	req, err := decodeRequest(r)
	if err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, fmt.Sprintf("decode request: %v", err), "")
	}
	call := &Call{Command: req.Command, Container: req.Container, Netns: req.Netns, IfName: req.IfName, Pod: parseArgs(req.Args)}
	if err := json.Unmarshal(req.Config, &call.Config); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, fmt.Sprintf("decode network configuration: %v", err), "")
	}
	if err := call.Config.validate(); err != nil {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, err.Error(), "")
	}
	if err := call.validate(); err != nil {
		return nil, types.NewError(types.ErrInvalidEnvironmentVariables, fmt.Sprintf("%s: %v", call.Command, err), "")
	}
	return call, nil
}

func decodeRequest(r io.Reader) (*Request, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxRequest+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxRequest {
		return nil, fmt.Errorf("it has more than %d bytes", maxRequest)
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	req := &Request{}
	if err := decoder.Decode(req); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the request")
	}
	return req, nil
}

// parseArgs reads what is ours of CNI_ARGS, "K=V;K=V", and skips the rest.
func parseArgs(args string) Pod {
	values := map[string]string{}
	for pair := range strings.SplitSeq(args, ";") {
		key, value, _ := strings.Cut(pair, "=")
		values[key] = value
	}
	return Pod{Namespace: values["K8S_POD_NAMESPACE"], Name: values["K8S_POD_NAME"], UID: values["K8S_POD_UID"]}
}

func (c *Config) validate() error {
	// A name holds no white space, which parts the fields of a host end's alias.
	if err := utils.ValidateNetworkName(c.Name); err != nil {
		return fmt.Errorf("name %q of the network configuration: %w", c.Name, err)
	}
	if c.Network != nil && (c.Network.Namespace == "" || c.Network.Name == "") {
		return errors.New("network: both namespace and name must be set")
	}
	return nil
}

func (c *Call) validate() error {
	switch c.Command {
	case Add, Check:
		return errors.Join(c.validateContainer(), c.validateSandbox())
	case Del:
		return c.validateContainer()
	case Status, GC:
		return nil
	default:
		return fmt.Errorf("unknown CNI_COMMAND %q", c.Command)
	}
}

func (c *Call) validateContainer() error {
	if err := utils.ValidateContainerID(c.Container); err != nil {
		return fmt.Errorf("CNI_CONTAINERID %q: %w", c.Container, err)
	}
	if err := utils.ValidateInterfaceName(c.IfName); err != nil {
		return fmt.Errorf("CNI_IFNAME %q: %w", c.IfName, err)
	}
	return nil
}

func (c *Call) validateSandbox() error {
	if !path.IsAbs(c.Netns) {
		return fmt.Errorf("CNI_NETNS %q is not an absolute path", c.Netns)
	}
	if c.Pod.Namespace == "" || c.Pod.Name == "" || c.Pod.UID == "" {
		return errors.New("CNI_ARGS lacks K8S_POD_NAMESPACE, K8S_POD_NAME or K8S_POD_UID: the runtime must say which pod it is")
	}
	return nil
}
