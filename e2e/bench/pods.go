package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab"
)

const (
	namespace   = "bench"
	networkName = "bench"
	systemNS    = v1alpha1.SystemNamespace
	// patience bounds the start of one batch of pods.
	patience = 2 * time.Minute
)

// pods starts and ends pods and notes when they reach their stages.
type pods struct {
	api  kubernetes.Interface
	lab  *lab.Lab
	next int
	// ending is what pods are given to end by themselves: Kubernetes' own is 30 s. With 0
	// they are forgotten at once, whatever is left of them on the node.
	ending *metav1.DeleteOptions
}

// newPods also makes the network that pods ask for.
func newPods(ctx context.Context, l *lab.Lab) (*pods, error) {
	p, err := plainPods(ctx, l)
	if err != nil {
		return nil, err
	}
	return p, p.makeNetwork(ctx)
}

func plainPods(ctx context.Context, l *lab.Lab) (*pods, error) {
	config, err := l.RESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 1000, 1000
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	_, err = api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	return &pods{api: api, lab: l, ending: metav1.NewDeleteOptions(0)}, nil
}

func (p *pods) makeNetwork(ctx context.Context) error {
	cmd := p.lab.KubectlCommand(ctx, "-n", namespace, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(
		"apiVersion: l2sm.io/v1alpha1\nkind: L2Network\nmetadata: {name: %s}\nspec: {ipam: {subnets: [10.98.0.0/16, 'fd98::/64']}}", networkName))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the network: %w: %s", err, out)
	}
	_, err := p.lab.Kubectl(ctx, "-n", namespace, "wait", "--for=condition=Programmed", "--timeout=30s", "l2net/"+networkName)
	return err
}

// end removes everything that the run made.
func (p *pods) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if out, err := p.lab.Kubectl(ctx, "delete", "namespace", namespace); err != nil {
		fmt.Println("bench: remove namespace:", err, out)
	}
}

// start makes n pods at once, waits until all are ready, and removes them
// again so that the next measurement finds an idle cluster.
func (p *pods) start(ctx context.Context, n int, annotations map[string]string) ([]*timeline, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	events, err := p.api.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	defer events.Stop()
	waiting := map[string]*timeline{}
	var all []*timeline
	for range n {
		p.next++
		name := fmt.Sprintf("p%d", p.next)
		t := &timeline{pod: name, created: time.Now()}
		waiting[name], all = t, append(all, t)
		if _, err := p.api.CoreV1().Pods(namespace).Create(ctx, toolbox(name, annotations), metav1.CreateOptions{}); err != nil {
			return nil, err
		}
	}
	if err := observe(ctx, events, waiting, watch.Modified, (*timeline).see); err != nil {
		return nil, fmt.Errorf("wait for pods to be ready: %w", err)
	}
	gone := map[string]*timeline{}
	for _, t := range all {
		gone[t.pod], t.deleted = t, time.Now()
		if err := p.api.CoreV1().Pods(namespace).Delete(ctx, t.pod, *p.ending); err != nil {
			return nil, err
		}
	}
	note := func(t *timeline, _ *corev1.Pod) bool {
		t.gone = time.Now()
		return true
	}
	if err := observe(ctx, events, gone, watch.Deleted, note); err != nil {
		return nil, fmt.Errorf("wait for pods to go: %w", err)
	}
	return all, nil
}

// observe shows each awaited pod's events to done until it says so for all.
func observe(ctx context.Context, events watch.Interface, awaited map[string]*timeline, kind watch.EventType, done func(*timeline, *corev1.Pod) bool) error {
	for len(awaited) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-events.ResultChan():
			if !open {
				return fmt.Errorf("the watch ended")
			}
			pod, ok := e.Object.(*corev1.Pod)
			if !ok || e.Type != kind {
				continue
			}
			if t := awaited[pod.Name]; t != nil && done(t, pod) {
				delete(awaited, pod.Name)
			}
		}
	}
	return nil
}

// see notes what a pod's event tells, and says whether the pod is ready.
func (t *timeline) see(pod *corev1.Pod) bool {
	now := time.Now()
	if t.scheduled.IsZero() && pod.Spec.NodeName != "" {
		t.scheduled = now
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			t.ready = now
		}
	}
	return !t.ready.IsZero()
}

func toolbox(name string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "toolbox", Image: "localhost/l2sm-toolbox:dev", ImagePullPolicy: corev1.PullNever, Command: []string{"sh", "-c", "trap exit TERM; sleep infinity & wait"},
		}}},
	}
}

// readLogs completes the timelines from what controller and agents logged. The
// API takes the time in whole seconds, so it asks for a little more.
func (p *pods) readLogs(ctx context.Context, since time.Time, batches ...[]*timeline) error {
	timelines := map[string]*timeline{}
	for _, batch := range batches {
		for _, t := range batch {
			timelines[t.pod] = t
		}
	}
	programs, err := p.api.CoreV1().Pods(systemNS).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name in (l2sm-controller, l2sm-agent)"})
	if err != nil {
		return err
	}
	for _, program := range programs.Items {
		log, err := p.api.CoreV1().Pods(systemNS).GetLogs(program.Name, &corev1.PodLogOptions{SinceTime: &metav1.Time{Time: since.Add(-2 * time.Second)}}).Stream(ctx)
		if err != nil {
			return fmt.Errorf("read the log of %q: %w", program.Name, err)
		}
		err = add(timelines, log)
		log.Close()
		if err != nil {
			return fmt.Errorf("read the log of %q: %w", program.Name, err)
		}
	}
	return nil
}
