package link

// AcceptRA is an interface's sysctl accept_ra: 1 where it follows Router
// Advertisements, as long as the pod is no router itself, else 0.
func AcceptRA(accept bool) string {
	if accept {
		return "1"
	}
	return "0"
}

// SetAcceptRA sets what AcceptRA returned on the interface in the network
// namespace at path netns. What an earlier advertisement gave stays for its
// lifetime. What does not exist gives an error that matches os.ErrNotExist.
func (l *Links) SetAcceptRA(netns, name, accept string) error {
	return inNamespace(netns, func() error {
		if _, err := byName(name); err != nil {
			return err
		}
		return l.setAcceptRA(name, accept)
	})
}

// setAcceptRA runs in the pod's network namespace. autoconf goes along: without
// it the kernel makes no address of an advertised prefix, whoever turns accept_ra
// on in the pod.
func (l *Links) setAcceptRA(name, accept string) error {
	for _, key := range []string{"accept_ra", "autoconf"} {
		if err := l.setIPv6(name, key, accept); err != nil {
			if l.lacksIPv6() {
				return nil
			}
			return err
		}
	}
	return nil
}
