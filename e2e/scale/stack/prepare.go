package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
)

const (
	controllerUser = "l2sm-controller"
	readerAccount  = "scale"
)

// prepare makes the controller's namespace and rights, those of the manifests, and an account that reads its metrics.
func (p *Plane) prepare(ctx context.Context, repository string) error {
	text, err := os.ReadFile(filepath.Join(repository, "manifests", "controller", "role.yaml"))
	if err != nil {
		return fmt.Errorf("read the controller's role: %w", err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.Unmarshal(text, role); err != nil {
		return fmt.Errorf("decode the controller's role: %w", err)
	}
	system := v1alpha1.SystemNamespace
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: readerAccount}},
		role,
		bind(role.Name, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: controllerUser}),
		bind("cluster-admin", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: system, Name: readerAccount}),
	}
	own, err := ownRoles(repository, system)
	if err != nil {
		return err
	}
	objects = append(objects, own...)
	for _, o := range objects {
		if err := p.Client.Create(ctx, o); err != nil {
			return fmt.Errorf("create %T %q: %w", o, o.GetName(), err)
		}
	}
	return nil
}

func bind(role string, subject rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scale-" + role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{subject},
	}
}

// ownRoles are the controller's rights in its namespace, as the manifests have them, and
// who has them.
func ownRoles(repository, namespace string) ([]client.Object, error) {
	text, err := os.ReadFile(filepath.Join(repository, "manifests", "controller", "rbac.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the controller's rights: %w", err)
	}
	var objects []client.Object
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		role := &rbacv1.Role{}
		if err := yaml.Unmarshal([]byte(document), role); err != nil {
			return nil, fmt.Errorf("decode the controller's rights: %w", err)
		}
		if role.Kind != "Role" {
			continue
		}
		role.Namespace = namespace
		objects = append(objects, role, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: controllerUser}},
		})
	}
	if len(objects) == 0 {
		return nil, errors.New("manifests/controller/rbac.yaml has no Role")
	}
	return objects, nil
}

// token is a credential of the account that reads metrics.
func (p *Plane) token(ctx context.Context) (string, error) {
	seconds := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: readerAccount}}
	if err := p.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("get a token for the controller's metrics: %w", err)
	}
	return request.Status.Token, nil
}

// child is the process of this name that we started last: envtest doesn't tell.
func child(name string) (int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	found := 0
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// pid (comm) state ppid ..., see proc_pid_stat(5)
		before, after, _ := strings.Cut(string(text), ") ")
		id, comm, _ := strings.Cut(before, " (")
		fields := strings.Fields(after)
		if len(fields) < 2 || comm != name || fields[0] == "Z" || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		pid, err := strconv.Atoi(id)
		if err != nil {
			return 0, err
		}
		found = max(found, pid)
	}
	if found == 0 {
		return 0, fmt.Errorf("find the process of %s: none is ours", name)
	}
	return found, nil
}
