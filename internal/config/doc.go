// Package config reads the settings: a flag wins over an environment variable, that over the settings file, that over the default.
//
// Start reading at Settings (settings.go): each field is a flag, SWITCHBOARD_<FLAG> in the environment and a line of the
// file. The file is YAML (file.go); docs/switchboard.example.yml is its manual, and a test holds the two together. What may be a
// secret can stand in a file of its own, named as @/path (secret.go), and the server's key always does (key.go).
//
// What does not live here: what a setting means (the room that it is for), and the data that `provision` loads.
package config
