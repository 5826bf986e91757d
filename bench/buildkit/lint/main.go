// Command lint asks a BuildKit daemon what its linter finds in a Dockerfile, and prints the JSON of the answer. buildctl prints
// the text only. Its flags are those of `buildctl build`.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/tonistiigi/fsutil"
)

// pairs is a flag that may be repeated: name=value.
type pairs map[string]string

func (p pairs) String() string { return fmt.Sprint(map[string]string(p)) }

func (p pairs) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q is not name=value", text)
	}
	p[name] = value
	return nil
}

func main() {
	log.SetFlags(0)
	address := flag.String("addr", "", "the daemon's address")
	options, locals, layouts := pairs{}, pairs{}, pairs{}
	flag.Var(options, "opt", "an option of the frontend")
	flag.Var(locals, "local", "a directory")
	flag.Var(layouts, "oci-layout", "an OCI layout")
	flag.Parse()
	answer, err := lint(context.Background(), *address, options, locals, layouts)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(answer)
}

func lint(ctx context.Context, address string, options, locals, layouts pairs) ([]byte, error) {
	daemon, err := client.New(ctx, address)
	if err != nil {
		return nil, err
	}
	defer daemon.Close()
	solve, err := mounts(locals, layouts)
	if err != nil {
		return nil, err
	}
	options["requestid"] = "frontend.lint"
	options["frontend.caps"] = "moby.buildkit.frontend.subrequests"
	var answer []byte
	ask := func(ctx context.Context, frontend gateway.Client) (*gateway.Result, error) {
		result, err := frontend.Solve(ctx, gateway.SolveRequest{Frontend: "dockerfile.v0", FrontendOpt: options})
		if err != nil {
			return nil, err
		}
		answer = result.Metadata["result.json"]
		return gateway.NewResult(), nil
	}
	_, err = daemon.Build(ctx, solve, "lint", ask, nil)
	return answer, err
}

// mounts says which directories and layouts the daemon may ask for.
func mounts(locals, layouts pairs) (client.SolveOpt, error) {
	solve := client.SolveOpt{
		LocalMounts: map[string]fsutil.FS{},
		OCIStores:   map[string]content.Store{},
	}
	for name, directory := range locals {
		files, err := fsutil.NewFS(directory)
		if err != nil {
			return solve, err
		}
		solve.LocalMounts[name] = files
	}
	for name, directory := range layouts {
		store, err := local.NewStore(directory)
		if err != nil {
			return solve, err
		}
		solve.OCIStores[name] = store
	}
	return solve, nil
}
