// Package openshift holds what l2sm needs on OpenShift, and its tests.
package openshift
