// Package docs holds the documentation, so that the program can serve and print it.
package docs

import "embed"

// Files are the pages.
//
//go:embed *.md *.yml adr legacy
var Files embed.FS

// Settings is the settings file with all defaults, which is its manual.
//
//go:embed switchboard.example.yml
var Settings string
