// Command fake serves internal/githubfake on loopback:
//
//	go run ./testdata/github/fake -listen 127.0.0.1:4020 -git /tmp/repo.git -repository acme/tools
//
// GET /_fake/state shows everything; POST /_fake/users, teams, pulls, reviews,
// merges, comments, protect and faults play people. Push branches to the bare
// repository with git.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/tomallicino/caskmcp/internal/githubfake"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	dir := flag.String("git", "", "bare git repository, made if it is missing")
	repository := flag.String("repository", "acme/tools", "owner/name")
	flag.Parse()
	if *dir == "" {
		log.Fatal("fake: -git names the bare repository")
	}
	server, err := githubfake.New(*dir, *repository)
	if err != nil {
		log.Fatal("fake: ", err)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal("fake: ", err)
	}
	fmt.Println("http://" + l.Addr().String())
	s := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal("fake: ", s.Serve(l))
}
