package kube

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// Reviews ask the API server who a caller is and what it may do. The controller
// uses them too: the library of API servers, which could do it, brings an engine
// for expressions and gRPC, 15 MB of program.
type Reviews struct {
	authentication, authorization rest.Interface
}

// Reviews come from any caller of the metrics: they may not exhaust what a
// program's own requests pass through.
const (
	reviewsPerSecond = 10
	reviewsBurst     = 20
)

// NewReviews returns a client of reviews alone, which connects with the first.
func NewReviews(config *rest.Config, shared *http.Client) (*Reviews, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(authenticationv1.SchemeGroupVersion, &authenticationv1.TokenReview{})
	scheme.AddKnownTypes(authorizationv1.SchemeGroupVersion, &authorizationv1.SubjectAccessReview{})
	own := rest.CopyConfig(config)
	own.QPS, own.Burst = reviewsPerSecond, reviewsBurst
	own.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	own.ContentType = runtime.ContentTypeProtobuf
	own.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON

	r := &Reviews{}
	var err error
	if r.authentication, err = newREST(own, shared, authenticationv1.SchemeGroupVersion); err != nil {
		return nil, fmt.Errorf("make client of %s: %w", authenticationv1.SchemeGroupVersion, err)
	}
	if r.authorization, err = newREST(own, shared, authorizationv1.SchemeGroupVersion); err != nil {
		return nil, fmt.Errorf("make client of %s: %w", authorizationv1.SchemeGroupVersion, err)
	}
	return r, nil
}

// Allow says whether the holder of a bearer token may do what the request does:
// http.StatusOK, StatusUnauthorized for a token that the API server does not
// know, or StatusForbidden.
func (r *Reviews) Allow(ctx context.Context, token string, req *http.Request) (int, error) {
	user, err := r.authenticate(ctx, token)
	if err != nil {
		return 0, err
	}
	if user == nil {
		return http.StatusUnauthorized, nil
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extraOf(user),
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: req.URL.Path, Verb: strings.ToLower(req.Method)},
	}}
	if err := r.authorization.Post().Resource("subjectaccessreviews").Body(review).Do(ctx).Into(review); err != nil {
		return 0, fmt.Errorf("review access to %q: %w", req.URL.Path, err)
	}
	if !review.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

// authenticate returns nil for a token that the API server does not know.
func (r *Reviews) authenticate(ctx context.Context, token string) (*authenticationv1.UserInfo, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if err := r.authentication.Post().Resource("tokenreviews").Body(review).Do(ctx).Into(review); err != nil {
		return nil, fmt.Errorf("review token: %w", err)
	}
	if !review.Status.Authenticated {
		return nil, nil
	}
	return &review.Status.User, nil
}

func extraOf(user *authenticationv1.UserInfo) map[string]authorizationv1.ExtraValue {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	return extra
}
